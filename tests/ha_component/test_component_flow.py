"""Every way into a config entry, every way it can fail, and that each failure can be recovered from."""

import asyncio
import json
from unittest.mock import patch

import pytest
from homeassistant.config_entries import SOURCE_HASSIO, SOURCE_MQTT, SOURCE_USER
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.hassio import HassioServiceInfo
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
from patience import PATIENCE
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message, start_reauth_flow
from stage import BASE, DOMAIN, NODE, announce, entry_of, golden, publish, set_up

from custom_components.blikk import config_flow, presence

MEDIA = "http://127.0.0.1:8428"


@pytest.fixture(autouse=True)
def _quick(monkeypatch, statuses):
    monkeypatch.setattr(presence, "PROBE_LIMIT_S", 0.2)
    monkeypatch.setattr(presence, "QUIET_S", 0.01)


@pytest.fixture(autouse=True)
def no_setup(request):
    """Flows are tested here, not what follows them."""
    if "real_setup" in request.keywords:
        yield
        return
    with patch("custom_components.blikk.async_setup_entry", return_value=True) as setup:
        yield setup


def info(payload, topic=f"{BASE}/announce"):
    return MqttServiceInfo(topic, payload, 1, True, "blikk/+/announce", 0.0)


async def found(hass, payload, **more):
    content = json.dumps(payload) if isinstance(payload, dict) else payload
    return await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_MQTT}, data=info(content, **more)
    )


def flows(hass):
    return [flow["flow_id"] for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN)]


async def eventually(look):
    async with asyncio.timeout(10 * PATIENCE):
        while not look():
            await asyncio.sleep(0.01)


def announcing(hass, *contents, topic=None):
    """Announces that the broker keeps: they come as soon as somebody subscribes."""
    subscribe = config_flow.mqtt.async_subscribe

    async def subscribed(hass, filter_, *args, **kwargs):
        undo = await subscribe(hass, filter_, *args, **kwargs)
        for content in contents:
            where = (
                topic or f"{filter_.partition('/')[0]}/{content['id'] if isinstance(content, dict) else 'x'}/announce"
            )
            payload = json.dumps(content) if isinstance(content, dict) else content
            hass.loop.call_soon(lambda where=where, payload=payload: async_fire_mqtt_message(hass, where, payload))
        return undo

    return patch.object(config_flow.mqtt, "async_subscribe", subscribed)


# ---- found over MQTT


async def test_a_node_that_announces_itself_is_added_after_a_question(hass, mqtt_mock, no_setup):
    flow = await found(hass, golden("announce"))
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "discovery_confirm")
    assert flow["description_placeholders"] == {"name": "Porch Pi", "cameras": "Front door, Yard"}
    (progress,) = hass.config_entries.flow.async_progress()
    assert progress["context"]["title_placeholders"] == {"name": "Porch Pi"}
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], {})
    assert (done["type"], done["title"]) == (FlowResultType.CREATE_ENTRY, "Porch Pi")
    assert done["data"] == {"prefix": "blikk", "node": NODE, "announce": golden("announce"), "expose": True}
    assert done["options"] == {"assistants": True}
    assert done["result"].unique_id == NODE
    assert len(no_setup.mock_calls) == 1


async def test_home_assistant_itself_starts_the_flow_when_an_announce_comes(hass, mqtt_mock):
    await hass.async_block_till_done(wait_background_tasks=True)
    async_fire_mqtt_message(hass, f"{BASE}/announce", json.dumps(golden("announce")), retain=True)
    await eventually(lambda: flows(hass))


@pytest.mark.parametrize(
    ("payload", "topic", "reason"),
    [
        ("", f"{BASE}/announce", "node_gone"),
        ("{", f"{BASE}/announce", "invalid_announce"),
        ("x" * 5_000_000, f"{BASE}/announce", "invalid_announce"),
        (announce(protocol=2), f"{BASE}/announce", "protocol_too_new"),
        (announce(), "blikk/another/announce", "invalid_announce"),
        (announce(id="a/b"), "blikk/a/announce", "invalid_announce"),
    ],
    ids=["empty", "half", "long", "newer", "another", "odd"],
)
async def test_an_announce_that_is_of_no_use_ends_the_flow(hass, mqtt_mock, payload, topic, reason):
    flow = await found(hass, payload, topic=topic)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, reason)


async def test_a_known_node_is_not_added_again_but_its_announce_is_taken_over(hass, mqtt_mock):
    entry = entry_of()
    entry.add_to_hass(hass)
    flow = await found(hass, announce(version="0.2.0"))
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert entry.data["announce"]["version"] == "0.2.0"


@pytest.mark.real_setup
async def test_a_changed_announce_updates_a_running_node_without_a_reload(hass, mqtt_mock):
    entry = await set_up(hass)
    runtime = entry.runtime_data
    changed = announce(version="0.3.0", urls={"media": "http://192.0.2.7:8428"})
    flow = await found(hass, changed)
    await publish(hass, "announce", changed)
    assert flow["reason"] == "already_configured"
    assert entry.runtime_data is runtime
    assert runtime.announce.media_url == "http://192.0.2.7:8428"


@pytest.mark.parametrize("kept", ["offline", "?", None])
async def test_a_node_that_is_away_is_offered_once_it_is_online(hass, mqtt_mock, statuses, kept):
    statuses.clear()
    if kept is not None:
        statuses[NODE] = kept
    flow = await found(hass, golden("announce"))
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "node_offline")
    for said in ("offline", "?"):
        await publish(hass, "status", said)
    assert flows(hass) == []
    statuses[NODE] = "online"
    await publish(hass, "status", "online")
    await publish(hass, "status", "online")
    await hass.async_block_till_done(wait_background_tasks=True)
    (flow,) = flows(hass)
    done = await hass.config_entries.flow.async_configure(flow, {"assistants": False})
    assert (done["type"], done["title"]) == (FlowResultType.CREATE_ENTRY, "Porch Pi")
    (key,) = done["result"].discovery_keys["mqtt"]
    assert key.key == f"{BASE}/announce"


@pytest.mark.real_setup
async def test_a_node_that_is_set_up_is_waited_for_no_longer(hass, mqtt_mock, statuses):
    """What it announced when it was found would replace what it has announced since."""
    statuses[NODE] = "offline"
    assert (await found(hass, golden("announce")))["reason"] == "node_offline"
    entry = await set_up(hass, entry_of(announce(name="Garden Pi")), online=False)
    assert not hass.data[presence._AWAITED]
    statuses[NODE] = "online"
    await publish(hass, "status", "online")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data["announce"]["name"] == "Garden Pi"


async def test_a_node_that_repeats_itself_after_an_outage_is_offered(hass, mqtt_mock, statuses):
    """Home Assistant passes on the same announce once only."""
    await hass.async_block_till_done(wait_background_tasks=True)
    statuses[NODE] = "offline"
    await publish(hass, "announce", golden("announce"), retain=True)
    await eventually(lambda: hass.data.get(presence._AWAITED))
    assert flows(hass) == []
    statuses[NODE] = "online"
    await publish(hass, "status", "online")
    await publish(hass, "announce", golden("announce"))
    await eventually(lambda: flows(hass))


async def test_a_node_that_left_for_good_is_neither_waited_for_nor_offered(hass, mqtt_mock, statuses):
    statuses[NODE] = "offline"
    await found(hass, golden("announce"))
    await found(hass, "")
    statuses[NODE] = "online"
    await publish(hass, "status", "online")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert flows(hass) == []
    await found(hass, golden("announce"))
    assert len(flows(hass)) == 1
    await found(hass, "")
    assert flows(hass) == []


async def test_two_announces_at_once_are_one_flow(hass, mqtt_mock):
    await found(hass, golden("announce"))
    flow = await found(hass, announce(version="0.2.0"))
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "already_in_progress")


# ---- reported by the Supervisor


async def supervisor(hass, **config):
    data = HassioServiceInfo(config=config, name="Blikk Edge", slug="a0d7b954_blikk", uuid="1234")
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_HASSIO}, data=data)


async def test_a_node_of_the_supervisor_is_added_with_its_token(hass, mqtt_mock):
    with announcing(hass, announce()):
        flow = await supervisor(hass, node=NODE, media_url=MEDIA, token="secret")
    assert flow["step_id"] == "discovery_confirm"
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], {})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert (done["data"]["token"], done["data"]["media_url"]) == ("secret", MEDIA)
    assert done["data"]["app"] == "a0d7b954_blikk"


async def test_a_node_of_the_supervisor_that_is_silent_is_not_added(hass, mqtt_mock):
    flow = await supervisor(hass, node=NODE)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "no_node")


@pytest.mark.parametrize("config", [{}, {"node": "a/b"}])
async def test_a_node_of_the_supervisor_without_a_name_is_not_added(hass, mqtt_mock, config):
    flow = await supervisor(hass, **config)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "invalid_announce")


async def test_without_mqtt_the_supervisor_cannot_help(hass):
    flow = await supervisor(hass, node=NODE)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "mqtt_unavailable")


async def test_a_new_token_of_the_supervisor_is_taken_over(hass, mqtt_mock):
    entry = entry_of(data={"token": "old"})
    entry.add_to_hass(hass)
    with announcing(hass, announce()):
        flow = await supervisor(hass, node=NODE, token="new")
    assert flow["reason"] == "already_configured"
    assert entry.data["token"] == "new"


# ---- by hand


async def by_hand(hass):
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})


async def test_a_node_is_looked_for_and_chosen(hass, mqtt_mock):
    flow = await by_hand(hass)
    assert (flow["type"], flow["step_id"], flow["errors"]) == (FlowResultType.FORM, "user", {})
    with announcing(hass, announce(), announce(id="shed", name="Shed"), b"{"):
        flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": "blikk"})
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "pick")
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], {"node": "shed"})
    assert (done["type"], done["title"], done["result"].unique_id) == (FlowResultType.CREATE_ENTRY, "Shed", "shed")


async def test_the_list_says_which_nodes_are_away_and_begins_with_those_that_are_there(hass, mqtt_mock, statuses):
    statuses |= {"attic": "offline", NODE: "online"}
    flow = await by_hand(hass)
    with announcing(hass, announce(id="attic", name="Attic"), announce(), announce(id="shed", name="Shed")):
        flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": "blikk"})
    (field,) = (value for key, value in flow["data_schema"].schema.items() if key == "node")
    assert [(each["value"], each["label"]) for each in field.config["options"]] == [
        (NODE, f"Porch Pi ({NODE})"),
        ("attic", "Attic (attic): Disconnected"),
        ("shed", "Shed (shed): Disconnected"),
    ]
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], {"node": "attic"})
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_a_node_below_another_prefix_is_added(hass, mqtt_mock):
    flow = await by_hand(hass)
    with announcing(hass, announce(), topic=f"house/cams/{NODE}/announce"):
        flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": " house/cams/ "})
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], {"node": NODE})
    assert done["data"]["prefix"] == "house/cams"


async def test_where_no_node_is_one_can_look_again(hass, mqtt_mock):
    flow = await by_hand(hass)
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": "a/#"})
    assert flow["errors"] == {"prefix": "invalid_prefix"}
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": "nowhere"})
    assert flow["errors"] == {"base": "no_node"}
    with announcing(hass, announce()):
        flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": "blikk"})
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], {"node": NODE})
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_where_only_known_nodes_are_there_is_nothing_to_add(hass, mqtt_mock):
    entry_of().add_to_hass(hass)
    flow = await by_hand(hass)
    with announcing(hass, announce()):
        flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": "blikk"})
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "already_configured")


async def test_a_node_that_was_added_meanwhile_is_not_added_again(hass, mqtt_mock):
    flow = await by_hand(hass)
    with announcing(hass, announce()):
        flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": "blikk"})
    entry_of().add_to_hass(hass)
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], {"node": NODE})
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "already_configured")


async def test_without_mqtt_no_node_can_be_looked_for(hass):
    flow = await by_hand(hass)
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": "blikk"})
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "mqtt_unavailable")


@pytest.mark.parametrize("encoding", [None, "utf-8"])
async def test_whoever_else_listens_to_the_same_topics_changes_nothing(hass, mqtt_mock, encoding):
    """Home Assistant decodes a message once for all subscriptions of one filter."""
    for word in ("announce", "status"):
        await config_flow.mqtt.async_subscribe(hass, f"{BASE}/{word}", lambda _message: None, 1, encoding)
    flow = await found(hass, announce())
    assert flow["step_id"] == "discovery_confirm"
    entry = entry_of()
    entry.add_to_hass(hass)
    with announcing(hass, announce()):
        flow = await reconfigure(hass, entry)
    assert flow["reason"] == "reconfigure_successful"


# ---- reconfigure


def days(aioclient_mock, status=200, url=MEDIA, **more):
    aioclient_mock.clear_requests()
    for what in ("node", "days"):
        aioclient_mock.get(f"{url}/v1/{what}", status=status, json={"v": 1, "days": []}, **more)


async def reconfigure(hass, entry, **values):
    flow = await entry.start_reconfigure_flow(hass)
    assert flow["step_id"] == "reconfigure"
    return await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": "blikk", **values})


async def test_prefix_address_and_token_can_be_changed(hass, mqtt_mock, aioclient_mock):
    entry = entry_of()
    entry.add_to_hass(hass)
    days(aioclient_mock, url="https://10.0.0.2:9000")
    with announcing(hass, announce(name="Porch"), topic=f"house/{NODE}/announce"):
        flow = await reconfigure(
            hass, entry, prefix="house", media_url="https://10.0.0.2:9000", token="secret", verify_ssl=False
        )
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    assert (entry.title, entry.data["prefix"], entry.data["token"]) == ("Porch", "house", "secret")
    assert (entry.data["media_url"], entry.data["verify_ssl"]) == ("https://10.0.0.2:9000", False)
    assert aioclient_mock.mock_calls[0][3] == {"Authorization": "Bearer secret"}


async def test_address_and_token_can_be_taken_away(hass, mqtt_mock):
    entry = entry_of(data={"token": "secret", "media_url": MEDIA, "app": "a0d7b954_blikk"})
    entry.add_to_hass(hass)
    with announcing(hass, announce()):
        flow = await reconfigure(hass, entry)
    assert flow["reason"] == "reconfigure_successful"
    assert entry.data.keys() == {"prefix", "node", "announce", "verify_ssl", "app"}


async def test_each_failure_of_reconfiguring_can_be_recovered_from(hass, mqtt_mock, aioclient_mock):
    entry = entry_of()
    entry.add_to_hass(hass)
    flow = await reconfigure(hass, entry, prefix="#")
    assert flow["errors"] == {"prefix": "invalid_prefix"}

    async def again(values, errors, *contents):
        with announcing(hass, *contents):
            answer = await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": "blikk", **values})
        assert answer["errors"] == errors

    await again({}, {"base": "no_node"})
    await again({}, {"base": "no_node"}, announce(id="another"))
    await again({"token": "t"}, {"base": "no_media"}, announce(urls={}))
    days(aioclient_mock, status=401)
    await again({"token": "t"}, {"base": "invalid_auth"}, announce())
    days(aioclient_mock, status=500)
    await again({"token": "t"}, {"base": "cannot_connect"}, announce())
    days(aioclient_mock, exc=TimeoutError())
    await again({"token": "t"}, {"base": "cannot_connect"}, announce())
    await again({"media_url": "http://["}, {"base": "cannot_connect"}, announce())
    days(aioclient_mock)
    with announcing(hass, announce()):
        done = await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": "blikk", "token": "t"})
    assert done["reason"] == "reconfigure_successful"


async def test_without_mqtt_nothing_can_be_reconfigured(hass):
    entry = entry_of()
    entry.add_to_hass(hass)
    flow = await reconfigure(hass, entry)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "mqtt_unavailable")


# ---- reauth


@pytest.mark.parametrize("urls", [{"media": MEDIA}, {"http": MEDIA}, {"media": MEDIA, "http": MEDIA}])
async def test_a_refused_token_can_be_replaced(hass, mqtt_mock, aioclient_mock, urls):
    entry = entry_of(announce(urls=urls), data={"token": "old"})
    entry.add_to_hass(hass)
    flow = await start_reauth_flow(hass, entry)
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"])
    assert (flow["step_id"], flow["description_placeholders"]["name"]) == ("reauth_confirm", "Porch Pi")
    for status, error in ((403, "invalid_auth"), (503, "cannot_connect")):
        days(aioclient_mock, status=status)
        flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"token": "wrong"})
        assert flow["errors"] == {"base": error}
    days(aioclient_mock)
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"token": "new"})
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    assert entry.data["token"] == "new"


# ---- options


@pytest.mark.real_setup
async def test_options_are_kept_and_reload_the_node(hass, mqtt_mock):
    entry = await set_up(hass)
    runtime = entry.runtime_data
    flow = await hass.config_entries.options.async_init(entry.entry_id)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "init")
    chosen = {
        "assistants": False,
        "events": {"replay_limit_s": 60},
        "summaries": {"ai_task": "ai_task.mine", "instructions": "Be short", "pause_s": 5, "calls_per_day": 7},
    }
    done = await hass.config_entries.options.async_configure(flow["flow_id"], chosen)
    await hass.async_block_till_done()
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert dict(entry.options) == chosen
    assert isinstance(entry.options["events"]["replay_limit_s"], int)
    assert entry.runtime_data is not runtime
    flow = await hass.config_entries.options.async_init(entry.entry_id)
    suggested = {str(key): key.description for key in flow["data_schema"].schema}
    assert suggested["assistants"] == {"suggested_value": False}
