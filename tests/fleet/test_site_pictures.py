"""Pictures out of the object store of a site, at a real NATS server."""

import base64
from pathlib import Path

from fleet_jobs import CLOCK, options
from nats_server import NatsServer

from blikk_edge.fleet.centre.options import SiteSource
from blikk_edge.fleet.centre.pictures import Pictures
from blikk_edge.fleet.link import Link


async def test_an_object_that_is_none_does_not_take_away_the_others(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as nats:
        link = Link(options(nats.url, "hall"), name="node_1")
        jetstream = await link.open()
        store = await jetstream.create_object_store("blikk_hall_pictures")
        await store.put("a.jpg", b"jpeg")
        whole = b'{"name": "b", "bucket": "blikk_hall_pictures", "nuid": "n", "size": "4", "digest": 3}'
        for name, meta in (("b", b"no JSON"), ("c", whole)):
            subject = f"$O.blikk_hall_pictures.M.{base64.urlsafe_b64encode(name.encode()).decode()}"
            await jetstream.publish(subject, meta)
        pictures = Pictures([SiteSource(fleet=options(nats.url, "hall"))], clock=CLOCK)
        assert [await pictures.jpeg(f"hall/{name}") for name in ("b", "c", "a.jpg")] == [None, None, b"jpeg"]
        assert pictures.problems == ()
        await pictures.close()
        await link.close()
