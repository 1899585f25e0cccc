"""Test small talk, and questions about the book as a whole."""

from __future__ import annotations

import time

import pytest

from ragbot.answering.book_questions import (
    MOST_LISTED,
    AskedOfBook,
    BookQuestion,
    asked_of_book,
    chapter_named,
    chapters_of,
    contents_text,
    introduction_of,
    is_small_talk,
    link_label,
    pages_text,
    small_talk_reply,
)
from ragbot.storage.editions import PageRecord

NERVES, TWIN = "Module 1: The Nervous System", "Module 2: The Digital Twin"
PAGES = [
    PageRecord("intro.md", "Introduction", "intro", ()),
    PageRecord("m1/basics.md", "ROS 2 Basics", "m1/basics", (NERVES,)),
    PageRecord("m1/nodes.md", "Nodes", "m1/nodes", (NERVES,)),
    PageRecord("m2/gazebo.md", "Gazebo", "m2/gazebo", (TWIN, "Worlds")),
    PageRecord("m2/unity.md", "Unity", "m2/unity", (TWIN,)),
    PageRecord("glossary.md", "Glossary", "glossary", ()),
]


def link(page: PageRecord) -> str:
    return f"https://book.test/{page.address}"


# --- small talk --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *(
            "hello",
            "Hi there!",
            "Good morning",
            "Thanks a lot",
            "ok",
            "bye",
            "who are you?",
            "what can I ask?",
        ),
        *("help", "How do I use this?", "Are you a robot?", "what's up"),
    ],
)
def test_small_talk_is_known(text: str) -> None:
    """It was answered with a log listing once."""
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        *("hello world program", "hello, what is ROS?", "what can you do with a node?", "great circle"),
        *(
            "How do I help a robot?",
            "thanksgiving",
            "thanks to whom?",
            "is that good",
            "Great, what is ROS?",
            "Who are the authors?",
            "ping a host",
            "",
            "super()",
            "then()",
            "`then`",
            "help()",
        ),
    ],
)
def test_question_that_begins_like_small_talk_is_none(text: str) -> None:
    """It is about the book's subject."""
    assert not is_small_talk(text)


def test_small_talk_is_answered_with_what_can_be_asked() -> None:
    """One friendly line."""
    reply = small_talk_reply("hello", "Physical *AI*")

    assert reply.startswith("Hello! I answer questions about *Physical AI* from its own pages.")
    assert "\n" not in reply


@pytest.mark.parametrize(
    "text",
    [
        *(
            "thanks, that helped!",
            "ok thank you",
            "Great, thanks a lot.",
            "perfect",
            "Thank you very much for your help",
        ),
        *("that was very helpful", "ok", "bye", "Got it, thanks again!", "merci"),
    ],
)
def test_thanks_are_answered_as_such(text: str) -> None:
    """ "Hello" would be odd, and a search of the book more so."""
    assert is_small_talk(text)
    assert small_talk_reply(text, "Dairy").startswith("You are welcome.")


def test_long_thanks_take_no_time() -> None:
    """A pattern that tries each way to read them would never end."""
    assert not is_small_talk("thank you great that is good " * 60 + "what is it")


def test_book_without_a_title_is_this_book() -> None:
    """Not every book tells its own."""
    assert "questions about this book" in small_talk_reply("hi", "")


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("A <img src=x> book", "*A book*"),
        ("[Free](https://evil.example/) book", "*Free book*"),
        ("https://evil.example/", "this book"),
        ("A\u202e book", "*A book*"),
    ],
)
def test_title_makes_no_link_and_no_tag(title: str, shown: str) -> None:
    """Whoever wrote the book named it, and no other filter stands between."""
    assert f"questions about {shown} from" in small_talk_reply("hi", title)


# --- questions of the book ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("What is this book about?", AskedOfBook(BookQuestion.ABOUT)),
        ("What will I learn?", AskedOfBook(BookQuestion.ABOUT)),
        ("what does this handbook cover", AskedOfBook(BookQuestion.ABOUT)),
        ("Summarise this book", AskedOfBook(BookQuestion.ABOUT)),
        ("Tell me about this course", AskedOfBook(BookQuestion.ABOUT)),
        ("List the chapters", AskedOfBook(BookQuestion.CONTENTS)),
        ("How many chapters are there?", AskedOfBook(BookQuestion.CONTENTS)),
        ("How many modules are there?", AskedOfBook(BookQuestion.CONTENTS, parts="modules")),
        ("How is this book organized?", AskedOfBook(BookQuestion.CONTENTS)),
        ("List the modules", AskedOfBook(BookQuestion.CONTENTS, parts="modules")),
        ("Summarise module 1", AskedOfBook(BookQuestion.CHAPTER, "module 1")),
        ("What is module 1 about?", AskedOfBook(BookQuestion.CHAPTER, "module 1")),
        ("Give me an overview of the digital twin", AskedOfBook(BookQuestion.CHAPTER, "digital twin")),
        ("What is the glossary chapter about?", AskedOfBook(BookQuestion.CHAPTER, "glossary")),
    ],
)
def test_question_about_the_book_is_known(question: str, asked: AskedOfBook) -> None:
    """No passage says what a book is about."""
    assert asked_of_book(question, PAGES) == asked


@pytest.mark.parametrize(
    "question",
    [
        *("What is a module?", "What parts does a robot have?", "List all parts of the arm", "Which units?"),
        *(
            "What are the contents of the box?",
            "Who wrote this book?",
            "What is the book's price?",
            "cheddar",
        ),
    ],
)
def test_question_of_the_subject_is_none_about_the_book(question: str) -> None:
    """A table of contents is no answer to it."""
    assert asked_of_book(question, PAGES) is None


@pytest.mark.parametrize(
    "question",
    [
        "What is unit testing?",
        "What's module resolution?",
        "What does part number mean?",
        "What is unit of work?",
    ],
)
def test_subject_that_begins_with_a_word_for_chapters_is_none_about_the_book(question: str) -> None:
    """Its page would be summarised, and the book not be searched."""
    assert asked_of_book(question, titled("Testing", "Modules", "Work")) is None


@pytest.mark.parametrize(
    ("question", "chapter"),
    [
        ("What is part one about?", "part one"),
        ("What is chapter 3?", "chapter 3"),
        ("What is chapter IV?", "chapter IV"),
        ("What does part B cover?", "part B"),
        ("What is unit testing about?", "unit testing"),
        ("What do I learn in module 2?", "module 2"),
        ("what will we cover in week five", "week five"),
        ("What's in chapter 3?", "chapter 3"),
        ("what is taught in the lesson 4", "lesson 4"),
    ],
)
def test_chapter_is_asked_for_by_its_number_or_by_what_it_is_about(question: str, chapter: str) -> None:
    """Else the words may be the book's subject."""
    assert asked_of_book(question, PAGES) == AskedOfBook(BookQuestion.CHAPTER, chapter)


def test_chapter_of_a_number_has_all_pages_in_its_folder() -> None:
    """Of the two lessons in "week-5" one has its week in its title, and was all of the week."""
    titles = {"week-4/a.md": "Services", "week-5/1.md": "Launch files", "week-5/2.md": "Week 5 Lesson 2"}
    pages = [PageRecord(path, title, path, ()) for path, title in titles.items()]
    found = chapter_named(pages, "week 5")

    assert found is not None
    assert [page.path for page in found[1]] == ["week-5/1.md", "week-5/2.md"]
    # What the title says counts where the folders are numbered in another way.
    shifted = [PageRecord(f"ch0{n}.md", f"Chapter {n + 1}", f"{n}", ()) for n in range(3)]
    assert chapter_named(shifted, "chapter 2") == ("Chapter 2", [shifted[1]])


def test_word_that_points_names_no_chapter() -> None:
    """ "This chapter" is not the page "About this book"."""
    assert chapter_named(titled("About this book", "Bread"), "this chapter") is None


def test_parts_are_the_books_only_where_it_has_such() -> None:
    """ "List the lessons" is about its subject in a book without lessons."""
    lessons = [PageRecord(f"{n}.md", f"Lesson {n}", f"{n}", ()) for n in "12"]

    assert asked_of_book("List the lessons", PAGES) is None
    assert asked_of_book("List the lessons", lessons) == AskedOfBook(BookQuestion.CONTENTS, parts="lessons")
    assert asked_of_book("List the lessons of this book", PAGES) is not None


# --- chapters ----------------------------------------------------------------------------------


def test_chapters_are_outermost_parts_and_pages_without() -> None:
    """In the order of the book."""
    assert [(name, [page.title for page in pages]) for name, pages in chapters_of(PAGES)] == [
        ("Introduction", ["Introduction"]),
        (NERVES, ["ROS 2 Basics", "Nodes"]),
        (TWIN, ["Gazebo", "Unity"]),
        ("Glossary", ["Glossary"]),
    ]


@pytest.mark.parametrize(
    ("name", "chapter"),
    [
        ("module 1", NERVES),
        ("module two", TWIN),
        ("MODULE 2", TWIN),
        ("the digital twin", TWIN),
        ("module 2: the digital twin", TWIN),
        ("nodes", "Nodes"),
        ("chapter 2", TWIN),
        ("part one", NERVES),
    ],
)
def test_chapter_is_named_by_number_title_or_most_of_its_words(name: str, chapter: str) -> None:
    """Readers write it in their own way; unnumbered ones are counted."""
    found = chapter_named(PAGES, name)

    assert found is not None
    assert found[0] == chapter


@pytest.mark.parametrize("name", ["penguins", "module 9", "chapter nine", "the"])
def test_chapter_that_the_book_lacks_is_not_found(name: str) -> None:
    """Another one would mislead."""
    assert chapter_named(PAGES, name) is None


def test_number_in_a_title_is_no_chapters_number() -> None:
    """ "ROS 2" is no second chapter."""
    assert chapter_named([PageRecord("a.md", "ROS 2 Basics", "a", ())], "chapter 2") is None


def titled(*titles: str) -> list[PageRecord]:
    return [PageRecord(f"{n}.md", title, f"{n}", ()) for n, title in enumerate(titles)]


@pytest.mark.parametrize(
    ("titles", "third"),
    [
        (("Preface", "1. Getting started", "2. Data", "3. Models"), "3. Models"),
        (("Preface", "1 Getting started", "2 Data", "3 Models"), "3 Models"),
        (("Preface", "Chapter One: A", "Chapter Two: B", "Chapter Three: C"), "Chapter Three: C"),
        (("Preface", "Chapter I", "Chapter II", "Chapter III"), "Chapter III"),
        (("Preface", "I. Bread", "II. Cheese", "III. Tea"), "III. Tea"),
        (("Vorwort", "Kapitel 1: A", "Kapitel 2: B", "Kapitel 3: C"), "Kapitel 3: C"),
        (("Foreword", "Introduction", "Bread", "Cheese", "Tea"), "Tea"),
        (("Bread", "Cheese", "Tea"), "Tea"),
    ],
)
@pytest.mark.parametrize("name", ["chapter 3", "chapter three", "Chapter III"])
def test_chapter_by_number_has_this_number(titles: tuple[str, ...], third: str, name: str) -> None:
    """Its title says so in one way or another, or it is the third behind the front matter."""
    found = chapter_named(titled(*titles), name)

    assert found is not None
    assert found[0] == third


@pytest.mark.parametrize(
    "titles",
    [
        ("1. Bread", "2. Cheese", "4. Tea"),
        ("Module 1: Bread", "Module 2: Cheese"),
        ("1. Bread", "3.1 Cheese", "2. Tea"),
    ],
)
def test_number_that_no_title_has_is_not_counted(titles: tuple[str, ...]) -> None:
    """The third page of a numbered book is not chapter 3."""
    assert chapter_named(titled(*titles), "chapter 3") is None


def test_chapter_is_not_counted_where_single_pages_may_be_chapters() -> None:
    """Another one would mislead: some books have chapters of one page between others."""
    pages = [
        PageRecord("a.md", "Getting Started", "a", ()),
        PageRecord("b.md", "Bread", "b", ("Baking",)),
        PageRecord("c.md", "Rolls", "c", ("Baking",)),
    ]

    assert chapter_named(pages, "chapter 1") is None


def test_chapter_is_found_by_the_number_in_its_pages_paths() -> None:
    """The titles of many books have none."""
    pages = [
        PageRecord("src/ch00-00-introduction.md", "Introduction", "ch00-00-introduction.html", ()),
        PageRecord("src/ch01-00-bread.md", "Bread", "ch01-00-bread.html", ()),
        PageRecord("src/ch01-02-rolls.md", "Rolls", "ch01-02-rolls.html", ("Bread",)),
        PageRecord("src/ch02-00-cheese.md", "Cheese", "ch02-00-cheese.html", ()),
        PageRecord("src/ch02-01-milk.md", "Milk", "ch02-01-milk.html", ("Cheese",)),
    ]

    found = chapter_named(pages, "chapter 2")

    assert found == ("Cheese", pages[3:])
    assert chapter_named(pages, "chapter 3") is None


def test_chapter_by_number_is_found_among_folders_and_titles() -> None:
    """Books number their files, too."""
    pages = [
        PageRecord("a.md", "Start", "a", ("module-1-2-basics",)),
        PageRecord("b.md", "More", "b", ("module-3-more",)),
    ]

    found = chapter_named(pages, "module 3")

    assert found is not None
    assert found[0] == "module-3-more"


def test_introduction_is_the_first_page_and_what_calls_itself_so() -> None:
    """They say what the book is about."""
    pages = [PageRecord("home.md", "Home", "", ()), *PAGES]

    assert [page.title for page in introduction_of(pages)] == ["Home", "Introduction"]
    assert [page.title for page in introduction_of(PAGES)] == ["Introduction"]
    assert introduction_of([]) == []


# --- tables of contents ------------------------------------------------------------------------


def test_contents_list_each_chapter_once_with_a_link() -> None:
    """To its first page."""
    assert contents_text("Physical AI", PAGES, "chapters", link) == (
        "*Physical AI* has 4 chapters:\n\n"
        "- [Introduction](<https://book.test/intro>)\n"
        f"- [{NERVES}](<https://book.test/m1/basics>) (2 pages)\n"
        f"- [{TWIN}](<https://book.test/m2/gazebo>) (2 pages)\n"
        "- [Glossary](<https://book.test/glossary>)"
    )


def test_contents_list_only_what_is_called_as_asked() -> None:
    """The glossary is no module."""
    text = contents_text("", PAGES, "modules", link)

    assert text.startswith("The book has 2 modules:")
    assert "Glossary" not in text


def test_contents_of_one_chapter_count_it_as_one() -> None:
    """Grammar is free."""
    assert contents_text("T", PAGES[:1], "chapters", link).startswith("*T* has one chapter:")


def test_long_contents_are_cut() -> None:
    """They are an answer, and no index."""
    pages = [PageRecord(f"{n}.md", f"Page {n}", f"{n}", ()) for n in range(MOST_LISTED + 7)]

    text = contents_text("T", pages, "chapters", link)

    assert text.startswith(f"*T* has {MOST_LISTED + 7} chapters:")
    assert text.endswith("- … and 7 more")
    assert text.count("\n- ") == MOST_LISTED + 1


def test_name_of_a_folder_is_written_as_words() -> None:
    """With the title of its first page."""
    pages = [PageRecord("a.md", "Sensors", "a", ("module-2-perception",))] * 2

    assert "[Module 2 perception: Sensors]" in contents_text("T", pages, "chapters", link)


def test_pages_of_a_chapter_are_links() -> None:
    """A summary ends with them."""
    assert pages_text(PAGES[1:3], link) == (
        "- [ROS 2 Basics](<https://book.test/m1/basics>)\n- [Nodes](<https://book.test/m1/nodes>)"
    )


@pytest.mark.parametrize(
    ("title", "label"),
    [
        ("The `match` *arms*", "The \\`match\\` \\*arms\\*"),
        ("a](https://evil.example) <b>", "a\\](https://evil.example) \\<b>"),
        ("snake_case [1]", "snake_case \\[1\\]"),
        ("A\u202e page", "A page"),
        ("NOT_IN_BOOK", ""),
    ],
)
def test_label_ends_where_its_link_does(title: str, label: str) -> None:
    """Titles hold what Markdown has a meaning for."""
    assert link_label(title) == label


def test_chapter_is_found_by_its_words_whatever_small_words_its_title_has() -> None:
    """'The history chapter' is 'A short history of the harbour'."""
    pages = [
        PageRecord("a.md", "Berths and moorings", "a", ()),
        PageRecord("b.md", "A short history of the harbour", "b", ()),
    ]

    found = chapter_named(pages, "history chapter")

    assert found is not None
    assert found[0] == "A short history of the harbour"


@pytest.mark.parametrize("begins", ["What is", "What is part", "Summarise", "List", "Who wrote"])
def test_long_run_of_blanks_takes_no_time(begins: str) -> None:
    """It took a minute, in which no other reader of the process got a word."""
    begun = time.process_time()

    asked_of_book(f"{begins}{' ' * 1900}colcon?", PAGES)

    assert time.process_time() - begun < 0.5
