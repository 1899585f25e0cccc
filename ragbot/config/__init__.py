"""Read the settings from the environment and check them."""

from ragbot.config.settings import (
    ENV_FILE,
    PROJECT_ROOT,
    Settings,
    env_example,
    handed_over,
    load_settings,
    settings_table,
)

__all__ = [
    "ENV_FILE",
    "PROJECT_ROOT",
    "Settings",
    "env_example",
    "handed_over",
    "load_settings",
    "settings_table",
]
