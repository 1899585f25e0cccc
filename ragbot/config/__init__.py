"""Read the settings from the environment and check them."""

from ragbot.config.loading import changed_since_start, load_settings, settings_as_json, settings_notes
from ragbot.config.settings import ENV_FILE, PROJECT_ROOT, Settings
from ragbot.config.settings_reference import env_example, settings_table

__all__ = [
    "ENV_FILE",
    "PROJECT_ROOT",
    "Settings",
    "changed_since_start",
    "env_example",
    "load_settings",
    "settings_as_json",
    "settings_notes",
    "settings_table",
]
