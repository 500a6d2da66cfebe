from datetime import UTC, datetime

from ingest.model import BlockKind
from tests.ingest.parse.pages import one, path_of, texts


def md(text):
    return one(text, "markdown", "docs:guide/intro.md")


def test_front_matter_gives_title_author_and_date():
    document = md(
        "---\ntitle: Get started\ndate: 2024-03-12\nauthors:\n  - name: Ada\n  - Bo\n"
        "objectives:\n- Learn it\ndescription: In short.\n---\nText"
    )

    assert (document.title, document.author) == ("Get started", "Ada, Bo")
    assert document.updated_at == datetime(2024, 3, 12, tzinfo=UTC)
    assert texts(document) == ["In short.", "- Learn it", "Text"]


def test_odd_front_matter_is_passed_over():
    assert md("---\n- a\n---\nx").text == "x"
    assert md("---\na: [\n---\nx").text == "x"
    assert md("---\ntitle: [a]\nauthor: {name: Ada}\n---\nx").author == "Ada"
    assert md(f"---\na: {'x' * 70_000}\n---\ny").text == "y"
    assert md("---\na: !!python/object/apply:os.system [ls]\n---\nx").text == "x"


def test_headings_have_the_anchors_of_github():
    document = md("# Top\n## What's `new` in 2.1?\n## Same\n## Same\n## Own {#mine}\nx")

    assert [section.anchor for section in document.sections] == [
        "top",
        "whats-new-in-21",
        "same",
        "same-1",
        "mine",
    ]
    assert path_of(document, "x") == ("Own",)


def test_admonitions_tabs_and_containers_are_text_with_their_label():
    document = md(
        '!!! warning "Mind the gap"\n    Inside.\n\n        code\n\n    - item\n\nAfter.\n\n'
        '??? note\n    Folded.\n\n=== "Linux"\n    `apt`\n\n::: tip Title\nIn box.\n:::\n\n'
        "```{note} Read\n:class: x\nMyST *text*.\n```\n\n```{toctree}\na\n```\n\n!!! \n"
    )

    assert texts(document)[:12] == [
        "Warning: Mind the gap",
        "Inside.",
        "code",
        "- item",
        "After.",
        "Note:",
        "Folded.",
        "Linux",
        "apt",
        "Tip: Title",
        "In box.",
        "Note: Read",
    ]
    assert "MyST text." in texts(document)
    assert "toctree" not in document.text


def test_code_is_kept_whole_and_untouched():
    document = md(
        "```yaml\nrun: ${{ x }} {% if %}\n\n!!! note\n# no heading\n```\n\n    {% raw %}\n"
    )

    assert texts(document, BlockKind.CODE) == [
        "run: ${{ x }} {% if %}\n\n!!! note\n# no heading",
        "{% raw %}",
    ]


def test_liquid_tags_and_attribute_lists_go():
    document = md(
        '{% include links.md %}\n{% callout "Tip" %}\nBody {: .x} {% link a %}.\n{% endcallout %}\n'
        "{: .source}\n\n{% comment %}\nhidden\n{% endcomment %}\nEnd {notatag}.\n"
    )

    assert texts(document) == ["Callout: Tip", "Body .", "End {notatag}."]


def test_tables_lists_links_and_formulae():
    document = md(
        "| a | b |\n|---|---|\n| `L1_MU4` | [x](http://y) |\n\n"
        "1. one\n   - two\n\n   para\n2. three\n\n"
        "Term\n: meaning\n\n$p_T$ *and* $$E_T$$ cost $5 and $6.\n\n$$\na<b\n$$\n"
    )

    assert texts(document) == [
        "a | b\nL1_MU4 | x",
        "1. one\n  - two\n  para\n2. three",
        "- Term: meaning",
        "$p_T$ and $E_T$ cost $5 and $6.",
        "$a<b$",
    ]
    assert document.blocks[0].header_end == len("a | b")


def test_html_inside_is_html_and_what_only_looks_like_a_tag_is_text():
    document = md(
        "<details><summary>More</summary>\n\n**b** <user> TH1<float> a<br>b\n\n</details>"
    )

    assert texts(document) == ["More", "b <user> TH1<float> a\nb"]


def test_headings_in_call_outs_stay_inside():
    document = md("# T\n## A\n> ## Exercise\n> do it\n{: .challenge}\n\nafter[^1]\n\n[^1]: Foot.")

    assert path_of(document, "after") == ("A",)
    assert "Foot." in document.text
