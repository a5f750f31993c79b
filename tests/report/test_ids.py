from blikk_edge.core.ids import Ids


def test_id_is_camera_utc_time_and_count():
    ids = Ids("front_door")
    assert ids.next(1_700_000_000.1234) == "front_door-20231114T221320123-1"
    assert ids.next(1_700_000_000.1234) == "front_door-20231114T221320123-2"


def test_milliseconds_round_into_the_next_second():
    assert Ids("c").next(59.9999) == "c-19700101T000100000-1"
