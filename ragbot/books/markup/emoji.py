"""Remove the names of small pictures (`:warning:`), which many sites draw in their place."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from ragbot.books.markup.code_spans import rewrite_around_code

# (A time or an address has letters or colons beside it, or digits alone. The blank before a picture goes with
# it where a sign follows.)
_NAME = re.compile(
    r"(?:(?<=\S)[ \t]++(?=:[^\s:]{1,60}:[,.;!?)]))?"
    r"(?<![\w:/\\]):(?P<name>[a-z0-9+-][a-z0-9_+-]{0,59}):(?![\w:/])(?P<blank>[ \t]*)"
)
_OPENS = " \t\n[(>\"'*_"
# Names in Unicode are longer by one of these.
_ENDINGS = ("", " SIGN", " FACE", " SYMBOL", " MARK", " HAND")
# Signs of other uses come before the arrows.
_FIRST_PICTURE = "\u2190"
_KIND = "So"
# Names that GitHub gives to pictures which Unicode calls otherwise.
_GIVEN = frozenset(
    "+1 -1 100 1234 abc arrow_backward arrow_down arrow_forward arrow_heading_down arrow_heading_up "
    "arrow_left arrow_lower_left arrow_lower_right arrow_right arrow_right_hook arrow_up arrow_upper_left "
    "arrow_upper_right arrows_clockwise arrows_counterclockwise art artificial_satellite balance_scale "
    "bangbang beer beers beginner birthday blush boat boom bow bulb cake camera_flash car checkered_flag "
    "clap coffee cold_sweat computer computer_mouse cool cop copyright crossed_fingers cry dart date "
    "detective earth_africa earth_americas earth_asia eight email exclamation exploding_head facepalm "
    "facepunch film_strip fist five flags fountain_pen four framed_picture free frowning gem gift "
    "gift_heart grey_exclamation grey_question grin hand hankey heart heart_eyes heartbeat "
    "hourglass_flowing_sand hugs information_source innocent iphone jigsaw joy laughing left_right_arrow "
    "loop loud_sound loudspeaker mag mag_right mailbox man_technologist medal_military medal_sports mega "
    "moneybag monocle_face mortar_board muscle new nine notes o ocean octocat office ok one orange_circle "
    "paintbrush paperclips partying_face pause_button pen pencil2 phone pizza point_down point_left "
    "point_right point_up point_up_2 poop pray punch question rage raised_eyebrow raised_hands "
    "raising_hand recycle red_circle registered relaxed repeat rofl roll_eyes rotating_light running "
    "see_no_evil seven shipit shit shopping_cart six small_red_triangle smiley smirk sob soccer soon sos "
    "sound spiral_calendar spiral_notepad star star2 star_struck stars stop_button stop_sign "
    "stuck_out_tongue stuck_out_tongue_winking_eye sunglasses sunny sweat sweat_smile tada tea "
    "technologist telephone three thumbsdown thumbsup tm top traffic_light truck tshirt two unlock "
    "upside_down_face v wave wavy_dash white_check_mark wink woman_technologist x yum zap zero "
    "zipper_mouth_face zzz".split()
)


def without_emoji(text: str) -> str:
    """Remove the names of pictures outside of code; other words between colons stay."""
    if text.count(":") < 2:
        return text
    return rewrite_around_code(text, lambda words: _NAME.sub(_shown, words))


def _shown(found: re.Match[str]) -> str:
    if not _is_picture(found["name"]):
        return found[0]
    before = found.string[found.start() - 1 : found.start()]
    return "" if not before or before in _OPENS else found["blank"]


@cache
def _is_picture(name: str) -> bool:
    return name in _GIVEN or any(_is_drawn(name.replace("_", " ").upper() + ending) for ending in _ENDINGS)


def _is_drawn(name: str) -> bool:
    try:
        sign = unicodedata.lookup(name)
    except KeyError:
        return False
    return sign >= _FIRST_PICTURE and unicodedata.category(sign) == _KIND
