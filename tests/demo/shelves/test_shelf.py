import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from demo.shelves.shelf import Bounds, OwnFolder, Shelf


def test_one_makes_it_and_all_others_wait_for_that() -> None:
    shelf: Shelf[str, object] = Shelf(Bounds())
    made, begun, go = [], threading.Event(), threading.Event()

    def make() -> object:
        begun.set()
        assert go.wait(10)
        made.append(object())
        return made[-1]

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(shelf.get, "a", make) for _ in range(8)]
        assert begun.wait(10)
        assert not shelf.is_ready("a")
        assert shelf.find("a") is None, "nobody is made to wait by a look"
        assert shelf.get("b", lambda: "b") == "b", "another one is made meanwhile"
        go.set()
        assert {id(each.result(10)) for each in asked} == {id(made[0])}
    assert len(made) == 1
    assert shelf.is_ready("a")


def test_many_threads_make_each_thing_once_and_stay_within_bounds() -> None:
    shelf: Shelf[int, int] = Shelf(Bounds(most=50))
    made: list[int] = []

    def make(key: int) -> int:
        time.sleep(0.0005)
        made.append(key)
        return key

    with ThreadPoolExecutor(16) as threads:
        keys = [k % 40 for k in range(800)]
        assert list(threads.map(lambda k: shelf.get(k, lambda: make(k)), keys)) == keys
    assert sorted(made) == list(range(40))


def test_what_fails_is_told_to_all_who_wait_and_tried_again() -> None:
    shelf: Shelf[str, int] = Shelf(Bounds())
    begun, go = threading.Event(), threading.Event()

    def fail() -> int:
        begun.set()
        assert go.wait(10)
        raise ValueError("no such thing")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(shelf.get, "a", fail)
        assert begun.wait(10)
        second = threads.submit(shelf.get, "a", lambda: 1)
        go.set()
        for each in (first, second):
            if each.exception(10) is None:  # it came after the first had failed
                assert each.result() == 1
            else:
                assert "no such thing" in str(each.exception())
    assert first.exception() is not None
    assert shelf.get("a", lambda: 2) in (1, 2)


def test_the_one_unused_for_longest_goes_first() -> None:
    gone: list[tuple[str, int]] = []
    shelf: Shelf[str, int] = Shelf(Bounds(most=2), dropped=lambda *each: gone.append(each))
    shelf.put("a", 1)
    shelf.put("b", 2)
    assert shelf.find("a") == 1
    shelf.put("c", 3)
    assert shelf.items() == [("a", 1), ("c", 3)]
    assert gone == [("b", 2)]


def test_bytes_are_bounded_and_one_thing_always_has_its_place() -> None:
    shelf: Shelf[str, bytes] = Shelf(Bounds(most_bytes=10, size_of=len))
    shelf.put("a", b"12345")
    shelf.put("b", b"12345")
    assert len(shelf.things()) == 2
    shelf.put("c", b"1")
    assert [key for key, _ in shelf.items()] == ["b", "c"]
    shelf.put("d", bytes(100))
    assert [key for key, _ in shelf.items()] == ["d"]


def test_what_stays_and_what_is_being_made_is_never_put_away() -> None:
    shelf: Shelf[str, int] = Shelf(Bounds(most=1), stays=lambda key, _: key == "own")
    shelf.put("own", 0)
    shelf.put("a", 1)
    assert shelf.get("b", lambda: len(shelf.things())) == 2, "a is still there meanwhile"
    assert [key for key, _ in shelf.items()] == ["own", "b"]


def test_what_lies_unused_for_too_long_goes_even_if_it_is_the_last() -> None:
    shelf: Shelf[str, int] = Shelf(Bounds(seconds=0.02))
    shelf.put("a", 1)
    shelf.tidy()
    assert shelf.find("a") == 1
    time.sleep(0.03)
    shelf.tidy()
    assert shelf.find("a") is None


def test_what_is_dropped_while_it_is_made_is_given_to_who_waits_and_not_kept() -> None:
    gone: list[str] = []
    shelf: Shelf[str, int] = Shelf(Bounds(), dropped=lambda key, _: gone.append(key))

    def make() -> int:
        shelf.drop(lambda key: key == "a")
        return 1

    assert shelf.get("a", make) == 1
    assert shelf.items() == []
    assert gone == []
    shelf.put("b", 2)
    shelf.drop(lambda _: True)
    assert gone == ["b"]


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 4))
def test_it_holds_the_things_used_last(asked: list[int], most: int) -> None:
    shelf: Shelf[int, int] = Shelf(Bounds(most=most))
    for key in asked:
        assert shelf.get(key, lambda key=key: key) == key
    last = list(dict.fromkeys(reversed(asked)))[:most]
    assert shelf.things() == last[::-1]


def test_a_folder_of_ones_own_goes_with_its_owner() -> None:
    own = OwnFolder("thaw-test-shelf-")
    path: Path = own.path
    assert path.is_dir()
    assert own.path == path
    assert path.stat().st_mode & 0o077 == 0, "it is for this user alone"
    del own
    assert not path.exists()
    other = OwnFolder("thaw-test-shelf-")
    other.remove()
    kept = other.path
    other.remove()
    assert not kept.exists()
