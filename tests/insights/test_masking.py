"""Test that personal data and secrets are masked, and that what a book is about is not."""

from __future__ import annotations

import time

import pytest

from ragbot.insights.masking import mask_personal_data

MASKED = [
    ("Write to alice@example.com please", "Write to [email] please"),
    ("alice.b+news@mail.example.co.uk asks", "[email] asks"),
    ("Is bob(at)example.org right?", "Is [email] right?"),
    ("mailto:alice@example.com", "mailto:[email]"),
    ("jörg@müller.de", "[email]"),
    ("Call +49 170 1234567 now", "Call [number] now"),
    ("Call (555) 123-4567", "Call [number]"),
    ("0170/1234567", "[number]"),
    ("555-123-4567", "[number]"),
    ("06 12 34 56 78", "[number]"),
    ("+1.555.123.4567", "[number]"),
    ("My card is 4111 1111 1111 1111", "My card is [number]"),
    ("4111-1111-1111-1111", "[number]"),
    ("378282246310005", "[number]"),
    ("SSN 078-05-1120", "SSN [number]"),
    ("account 12345678", "account [number]"),
    ("passport C01X00T47 or A12345678", "passport C01X00T47 or [number]"),
    ("DE89 3704 0044 0532 0130 00", "[number]"),
    ("GB82WEST12345698765432", "[number]"),
    ("order #99887766 is late", "order #[number] is late"),
    ("customer9988776655", "customer[number]"),
    ("key sk-proj-abcdefgh12345678 fails", "key [key] fails"),
    ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "[key]"),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[key]"),
    ("glpat-abcdEFGH12345678ijkl", "[key]"),
    ("xoxb-123456789012-abcdefghijkl", "[key]"),
    ("AKIAIOSFODNN7EXAMPLE", "[key]"),
    ("AIzaSyA1234567890abcdefghijklmnopqrstu", "[key]"),
    ("hf_abcdefghijklmnopqrstuvwx", "[key]"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123", "[key]"),
    ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer [key]"),
    ("my password is hunter2", "my password is [key]"),
    ("password=letmein", "password=[key]"),
    ("api_key: abcd", "api_key: [key]"),
    ("DB_PASSWORD='correct horse'", "DB_PASSWORD='[key]'"),
    ("https://bob:pw@host.test/a", "https://host.test/a"),
    ("https://host.test/a?token=abc&x=1", "https://host.test/a?token=[key]&x=1"),
    ("commit da39a3ee5e6b4b0d3255bfef95601890afd80709", "commit [key]"),
    ("550e8400-e29b-41d4-a716-446655440000", "[key]"),
    ("dGhpcyBpcyBh3IHNlY3JldC4wMTIzNDU2Nzg5", "[key]"),
    ("ping 192.168.17.4 fails", "ping [address] fails"),
    ("from 2001:db8:0:0:1:2:3:4", "from [address]"),
    ("fe80::1ff:fe23", "[address]"),
    ("mac 00:1B:44:11:3A:B7", "mac [address]"),
    ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "[key]"),
]

KEPT = [
    "How does Rust 1.75.0 differ from 1.56?",
    "What happened on 2024-11-28?",
    "log of 2024-11-28 10:30:15",
    "Why does port 8080 refuse?",
    "error[E0308]: mismatched types",
    "Is 127.0.0.1 the same as localhost?",
    "What does std::collections::HashMap do?",
    "Explain wait_for_service_with_a_long_timeout",
    "docs/chapter-02/the-borrow-checker-in-depth",
    "How do I reset my password?",
    "What is a bearer token?",
    "pages 120-135 in 2023",
    "Is 1,000,000 too much?",
    "Which of UTF-8 and UTF-16?",
    "use @decorators in Python 3.12",
    "Wie reift der Käse in 9 Monaten?",
    "internationalization_of_applications",
    "What does 0xDEADBEEF mean?",
]


@pytest.mark.parametrize(("text", "expected"), MASKED)
def test_what_names_a_person_or_opens_a_door_is_masked(text: str, expected: str) -> None:
    """It is never written."""
    found = mask_personal_data(text)

    assert found == expected
    assert mask_personal_data(found) == found


@pytest.mark.parametrize("text", KEPT)
def test_what_a_book_is_about_is_kept(text: str) -> None:
    """An author could not tell what was asked."""
    assert mask_personal_data(text) == text


def test_the_table_has_sixty_cases() -> None:
    """So many were promised."""
    assert len(MASKED) + len(KEPT) >= 60


@pytest.mark.parametrize("piece", ["1 ", "a@", "a1", "sk-", "://", "(1", "1:", "password ", "a.", "AB12 "])
def test_no_text_takes_long(piece: str) -> None:
    """It runs while a reader waits: a text made to be slow may not hold a worker."""
    began = time.process_time()

    mask_personal_data(piece * (2000 // len(piece)))

    assert time.process_time() - began < 0.25
