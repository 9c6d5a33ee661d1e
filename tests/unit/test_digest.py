from hypothesis import given
from hypothesis import strategies as st

from drivers.recorder.digest import answer, choose, schemes

RFC_7616_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
RFC_7616_OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
RFC_7616_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def rfc_7616_challenge(algorithm: str) -> str:
    # RFC 7616, 3.9.1
    return (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", '
        f'algorithm={algorithm}, nonce="{RFC_7616_NONCE}", opaque="{RFC_7616_OPAQUE}"'
    )


def rfc_7616_answer(headers: list[str]) -> str:
    challenge = choose(headers)
    assert challenge is not None
    return answer(
        challenge,
        username="Mufasa",
        password="Circle of Life",
        method="GET",
        uri="/dir/index.html",
        cnonce=RFC_7616_CNONCE,
    )


def test_rfc_7616_md5_example() -> None:
    said = rfc_7616_answer([rfc_7616_challenge("MD5")])
    assert 'response="8ca523f5e9506fed4657c9700eebdbec"' in said
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in said
    assert "qop=auth, nc=00000001" in said


def test_rfc_7616_sha_256_example_is_preferred_to_md5() -> None:
    said = rfc_7616_answer([rfc_7616_challenge("MD5"), rfc_7616_challenge("SHA-256")])
    expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    assert f'response="{expected}"' in said
    assert "algorithm=SHA-256" in said


def test_rfc_2617_example() -> None:
    offered = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    challenge = choose([offered])
    assert challenge is not None
    said = answer(
        challenge,
        username="Mufasa",
        password="Circle Of Life",
        method="GET",
        uri="/dir/index.html",
        cnonce="0a4f113b",
    )
    assert 'response="6629fae49393a05397450978507c4ef1"' in said
    assert "algorithm" not in said


def test_a_challenge_as_a_camera_sends_it() -> None:
    # Hikvision ISAPI developer guide, 4.5.1.1, the 401 of "Arming without Subscription".
    offered = (
        'Digest qop="auth", realm="IP Camera(C2183)", '
        'nonce="4e5468694e7a42694e7a4d364f4449354d7a6b354d54513d", stale="FALSE"'
    )
    challenge = choose([offered])
    assert challenge is not None
    assert challenge.realm == "IP Camera(C2183)"
    assert challenge.qop == "auth"
    assert not challenge.stale


def test_empty_values_several_schemes_in_one_header_and_stale() -> None:
    challenge = choose(
        ['Basic realm="a, b", Digest realm="x", nonce="n", opaque="", qop="", stale=TRUE']
    )
    assert challenge is not None
    assert (challenge.realm, challenge.opaque, challenge.qop) == ("x", "", "")
    assert challenge.stale


def test_basic_and_unknown_algorithms_are_no_challenge_for_us() -> None:
    assert choose(['Basic realm="x"']) is None
    assert choose(['Digest realm="x", nonce="n", algorithm=SHA-512-256, qop="auth"']) is None
    assert choose(['Digest realm="x", nonce="n", qop="auth-int"']) is None
    assert choose(['Digest realm="x", qop="auth"']) is None


@given(st.lists(st.text(max_size=200), max_size=3))
def test_no_header_breaks_the_reader(headers: list[str]) -> None:
    for scheme, given_ in schemes(headers):
        assert scheme == scheme.lower()
        assert all(name == name.lower() for name in given_)
    choose(headers)


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=40))
def test_a_realm_comes_back_as_it_was_quoted(realm: str) -> None:
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    challenge = choose([f'Digest realm="{quoted}", nonce="n", qop="auth"'])
    assert challenge is not None
    assert challenge.realm == realm
    said = answer(challenge, username="u", password="p", method="GET", uri="/", cnonce="c")
    assert f'realm="{quoted}"' in said
