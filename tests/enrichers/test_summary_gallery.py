import pytest

from blikk_edge.core.errors import PrivacyError
from blikk_edge.core.picture import Picture
from blikk_edge.enrichers.summaries.gallery import KEPT, MAX_EVENTS, MOST, Gallery, best


def picture(time, *, size=1000, persons=0, width_px=480, camera="porch", name="person"):
    return Picture(
        camera=camera,
        name=name,
        time=float(time),
        jpeg=b"\xff" * size,
        width_px=width_px,
        height_px=360,
        persons=persons,
    )


def times(pictures):
    return [one.time for one in pictures]


def test_the_newest_and_what_lies_farthest_are_chosen():
    assert times(best([picture(t) for t in (0, 1, 2, 9, 10)], 3)) == [0.0, 2.0, 10.0]


def test_of_two_equally_far_the_clearer_is_chosen():
    assert times(best([picture(5), picture(5.0, size=2000), picture(9)], 2))[0] == 5.0
    chosen = best([picture(5), picture(5.0, size=2000), picture(9)], 2)
    assert len(chosen[0].jpeg) == 2000


def test_a_blurred_person_is_less_clear():
    chosen = best([picture(5, persons=1), picture(5.0, size=999), picture(9)], 2)
    assert chosen[0].persons == 0


def test_no_picture_is_given_twice():
    gallery = Gallery()
    for t in range(4):
        gallery.keep(picture(t), "e1")
    first, second = gallery.choose("e1", 2), gallery.choose("e1", 3)
    assert not set(times(first)) & set(times(second))
    assert gallery.choose("e1", 3) == ()


def test_an_event_shows_five_in_all():
    gallery = Gallery()
    shown = 0
    for t in range(40):
        gallery.keep(picture(t), "e1")
        shown += len(gallery.choose("e1", 2))
    assert shown == MOST


def test_what_was_not_shown_may_be_shown_later():
    gallery = Gallery()
    gallery.keep(picture(1), "e1")
    chosen = gallery.choose("e1")
    gallery.give_back("e1", chosen)
    assert gallery.choose("e1") == chosen


def test_few_are_kept_of_a_long_event_spread_over_it():
    gallery = Gallery()
    for t in range(100):
        gallery.keep(picture(t), "e1")
    kept = times(gallery.choose("e1", KEPT))
    assert (len(kept), kept[-1]) == (MOST, 99.0)
    assert kept[-1] - kept[0] >= 50


def test_few_events_are_kept():
    gallery = Gallery()
    for n in range(MAX_EVENTS + 5):
        gallery.keep(picture(n), f"e{n}")
    assert gallery.choose("e0") == ()
    assert len(gallery.choose(f"e{MAX_EVENTS + 4}")) == 1


def test_the_newest_of_a_camera_is_given_once_while_it_is_fresh():
    gallery = Gallery()
    gallery.keep(picture(100, name="snapshot"), None)
    assert gallery.newest("porch", since=101.0) is None
    assert gallery.newest("porch", since=99.0).time == 100.0
    assert gallery.newest("porch", since=99.0) is None


def test_a_picture_serves_its_event_or_whoever_asks_for_the_newest():
    gallery = Gallery()
    gallery.keep(picture(1), "e1")
    gallery.keep(picture(2), "e1")
    assert gallery.newest("porch", since=0.0).time == 2.0
    assert times(gallery.choose("e1")) == [1.0]
    gallery.keep(picture(3), "e1")
    assert times(gallery.choose("e1")) == [3.0]
    assert gallery.newest("porch", since=0.0) is None


async def test_what_is_too_large_is_shrunk_or_left_out():
    def shrink(large):
        if large.time == 2.0:
            raise PrivacyError("unreadable")
        return picture(large.time, width_px=512)

    pictures = [picture(1, width_px=1280), picture(2, width_px=1280), picture(3), picture(4, size=90_000)]
    assert times(await Gallery(shrink).fitted(pictures)) == [1.0, 3.0, 4.0]
    assert times(await Gallery().fitted(pictures)) == [3.0]


@pytest.mark.parametrize("most", [0, -1])
def test_none_is_chosen_where_none_is_left(most):
    assert best([picture(1)], most) == ()
