import re
from xml.etree import ElementTree

import pytest

from handlers.gallery.art import SIZES, avatar, picture

SVG = "{http://www.w3.org/2000/svg}"
HARMLESS = {"svg", "rect", "circle", "ellipse", "polygon", "polyline", "path", "text"}


def parsed(drawing: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawing)  # noqa: S314 (our own drawing)


def drawings(asset_type: str) -> list[str]:
    return [picture(f"seed {number}", asset_type, "Tea & <script>") for number in range(40)]


@pytest.mark.parametrize("asset_type", SIZES)
def test_the_same_seed_draws_the_same_picture_and_another_seed_another(asset_type: str) -> None:
    """A picture follows from its seed alone."""
    assert drawings(asset_type) == drawings(asset_type)
    assert len(set(drawings(asset_type))) == 40


@pytest.mark.parametrize("asset_type", SIZES)
def test_a_picture_has_the_size_of_its_asset_type(asset_type: str) -> None:
    """An SVG's width, height and view box are those that SIZES gives."""
    width, height = SIZES[asset_type]
    for drawing in drawings(asset_type):
        root = parsed(drawing)
        assert (root.get("width"), root.get("height")) == (str(width), str(height))
        assert root.get("viewBox") == f"0 0 {width} {height}"


@pytest.mark.parametrize("asset_type", SIZES)
def test_a_picture_is_plain_shapes(asset_type: str) -> None:
    """Pictures hold no scripts, no styles and no references, whatever their title says."""
    for drawing in drawings(asset_type):
        for element in parsed(drawing).iter():
            assert element.tag.removeprefix(SVG) in HARMLESS
            assert not {name for name in element.attrib if name.startswith("on") or "href" in name}
        assert "url(" not in drawing
        assert len(drawing) < 32_000


def test_a_title_stands_in_the_picture_as_text() -> None:
    """A thumbnail shows its title, with what is special in XML escaped."""
    shown = re.sub(r"<[^>]*>", " ", picture("seed", "youtube_thumbnail", "Tea & <b>"))
    assert "TEA &amp; &lt;B&gt;" in shown


def test_a_title_with_characters_that_xml_forbids_still_makes_a_picture() -> None:
    """Control characters of a title are left out of its picture."""
    drawing = picture("seed", "overlay", "a\x00b\x1fc")
    assert "abc" in "".join(parsed(drawing).itertext())


def test_portraits_differ_from_person_to_person() -> None:
    """Thirty names have thirty faces, each a well-formed SVG."""
    faces = [avatar(f"person {number}") for number in range(30)]
    assert len(set(faces)) == 30
    for face in faces:
        parsed(face)
