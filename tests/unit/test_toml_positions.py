import tomllib
from collections.abc import Iterator

import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from agent.problems import KeyPath
from agent.toml_positions import line_of_each_key

DOCUMENT = '''# a comment = 1
top = "x # not a comment"   # one

[ a . "b c" ]
multi = """
[not.a.header]
key = 1 \\"""
"""
lit = \'\'\'
] } "
\'\'\'
dates = [ 2026-01-02, # , ]
          03:04:05 ]
inline = { p = [1, 2], "q" = { r = "}" }, s.t = true }

[[m]]
id = "one"
  [[m.n]]
  id = 'x'
  [[m.n]]
  id = "y"
  [m.n.deep]
  z = 0

[[m]]
id = "two"
  [[m.n]]
  id = "w"
d.o.t = 1
e.nd = [ """x""""", \'\'\'
y\'\'\'\'\', "z" ]
last = ""
'''


def test_every_key_is_found_on_the_line_it_stands_on() -> None:
    lines = line_of_each_key(DOCUMENT)
    assert lines[("top",)] == 2
    assert lines[("a", "b c")] == 4
    assert lines[("a", "b c", "multi")] == 5
    assert lines[("a", "b c", "lit")] == 9
    assert lines[("a", "b c", "dates", 0)] == 12
    assert lines[("a", "b c", "dates", 1)] == 13
    assert lines[("a", "b c", "inline", "p", 1)] == 14
    assert lines[("a", "b c", "inline", "q", "r")] == 14
    assert lines[("a", "b c", "inline", "s", "t")] == 14
    assert lines[("m",)] == 16
    assert lines[("m", 0)] == 16
    assert lines[("m", 0, "n", 0, "id")] == 19
    assert lines[("m", 0, "n", 1, "id")] == 21
    assert lines[("m", 0, "n", 1, "deep", "z")] == 23
    assert lines[("m", 1)] == 25
    assert lines[("m", 1, "n", 0, "id")] == 28
    assert lines[("m", 1, "n", 0, "d", "o", "t")] == 29
    assert lines[("m", 1, "n", 0, "e", "nd", 2)] == 31
    assert lines[("m", 1, "n", 0, "last")] == 32
    assert set(_paths(tomllib.loads(DOCUMENT))) == set(lines)


def test_windows_line_ends_count_the_same() -> None:
    assert line_of_each_key(DOCUMENT.replace("\n", "\r\n")) == line_of_each_key(DOCUMENT)


def _paths(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, (*path, index))


values = st.recursive(
    st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="~"), max_size=12)
    | st.dates()
    | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["k", "k k", "k.k"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def _with_unique_keys(value: object, count: list[int]) -> object:
    if isinstance(value, dict):
        renamed = {}
        for key, inner in value.items():
            count[0] += 1
            name = f"{key}~{count[0]}~"
            renamed[name] = _with_unique_keys(inner, count)
        return renamed
    if isinstance(value, list):
        return [_with_unique_keys(inner, count) for inner in value]
    return value


@given(st.dictionaries(st.sampled_from("abcd"), values, max_size=4))
def test_files_written_by_another_program(data: dict[str, object]) -> None:
    unique = _with_unique_keys(data, [0])
    assert isinstance(unique, dict)
    text = tomlkit.dumps(unique)
    # No value holds a tilde, so a key's own number finds its line.
    written = text.replace("\r\n", "\n").split("\n")
    lines = line_of_each_key(text)
    read = tomllib.loads(text)
    assert set(_paths(read)) == set(lines)
    for path in _paths(read):
        if isinstance(path[-1], str):
            mark = path[-1][path[-1].index("~") :]
            assert lines[path] == next(n for n, line in enumerate(written, 1) if mark in line)
