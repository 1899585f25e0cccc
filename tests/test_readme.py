"""What the README promises in tables is what the code has."""

from __future__ import annotations

from ragbot.config import PROJECT_ROOT, env_example, settings_table


def test_readme_lists_every_setting_as_it_is() -> None:
    """A setting that is not told cannot be used, and one told wrong is worse."""
    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")

    assert settings_table() in readme, (
        "run: flask --app wsgi settings --as markdown, and put it into README.md"
    )


def test_example_environment_lists_every_setting_as_it_is() -> None:
    """Operators begin by copying it."""
    example = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")

    assert example == env_example(), "run: flask --app wsgi settings > .env.example"
