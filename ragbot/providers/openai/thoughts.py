"""Separate an answer from the thoughts and special tokens that a server leaves in its text.

Servers that know a model's template send its thoughts in a field of their own. Others send them in the text,
between marks that differ from model to model; some templates open a thought themselves, so that only its
closing mark is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ragbot.providers.openai.streamed_code import open_code_mark

_NAMES = "think|thinking|thought|thoughts|reasoning|reflection|analysis|scratchpad|seed:think|antthinking"
_OPENING = (
    rf"<\s*(?:{_NAMES})(?:\s[^<>\n]{{0,40}})?>|\[THINK\]|◁think▷"
    r"|<\|(?:begin_of_thought|START_THINKING|thinking|think)\|>"
)
_CLOSING = (
    rf"<\s*/\s*(?:{_NAMES})\s*>|\[/THINK\]|◁/think▷"
    r"|<\|(?:end_of_thought|END_THINKING|/thinking|/think)\|>|<channel\|>"
)
# What names the part of an answer that follows: `<|channel|>analysis<|message|>`.
_CHANNEL = r"<\|channel\|?>"
_TURN = (
    r"<\|im_start\|>|<\|start_header_id\|>|<\|start\|>|<start_of_turn>|<\|turn>"
    r"|<\|(?:assistant|user|system)\|>"
)
_END = (
    r"<\|(?:im_end|eot_id|eom_id|endoftext|end|end_of_text|end_of_turn|return|END_OF_TURN_TOKEN)\|>"
    r"|<[|｜]end[▁_]of[▁_]sentence[|｜]>|</s>|<end_of_turn>|<eos>|<turn\|>"
)
_SPECIAL = r"<[|｜][^<>|｜\s]{1,40}[|｜]>|<s>|<</?SYS>>|\[/?INST\]|<(?:bos|pad|unk)>"

_MARK = re.compile(
    f"(?P<opening>{_OPENING})|(?P<closing>{_CLOSING})|(?P<channel>{_CHANNEL})|(?P<turn>{_TURN})"
    f"|(?P<end>{_END})|(?P<special>{_SPECIAL})",
    re.IGNORECASE,
)
_SIGN = re.compile(r"[<\[◁`]")
# A mark may have begun here and be cut: it has no space but behind `<`, and no line has an end inside it.
_BEGUN = re.compile(r"(?:<[^<>\n]{0,60}|\[/?[A-Za-z]{0,5}|◁[^▷\n]{0,8}|`+)\Z")
_BEGUN_TAG = re.compile(
    r"<<?\s*/?\s*(?:[|｜][^<>\s]{0,44}|[A-Za-z][\w:]{0,20}(?:\s[^<>\n]{0,40})?|/?[A-Z]{0,4})?\Z"
)
# The name of a channel or a role ends where the next mark begins, or with its line.
_HEAD = re.compile(r"\s*([A-Za-z_]{0,20})[^<\n]{0,40}?(?=<)|\s*([A-Za-z_]{0,20})[^<\n]{0,40}\n")
_LONGEST_HEAD = 70
_THOUGHT_CHANNELS = ("analysis", "commentary", "thought")
# Kept of a thought, as a closing mark may be cut.
_LONGEST_MARK = 64

# How thoughts begin whose opening mark the template wrote; answers from a book hardly do.
_OPENERS = (
    "okay, ", "okay so", "ok, ", "alright, ", "hmm", "let me ", "let's ", "let us ", "the user", "user asks",
    "so the user", "so, the user", "first, i ", "first, let", "i need to", "i should ", "i have to ",
    "we need to", "we have to", "we are asked", "we are given", "wait,",
    "thinking process", "thought process",
    "here's a thinking", "here is a thinking", "here's my thought", "here is my thought",
    "好的，", "好，", "嗯，", "首先，", "用户", "让我", "我们需要", "我需要",
)  # fmt: skip


@dataclass(slots=True)
class ThoughtsSeen:
    """Tell what the text has shown: any thought, and one whose opening mark was missing.

    `leaked` says that its beginning had been given before its end came.
    """

    any: bool = False
    unopened: bool = False
    leaked: bool = False


class ThoughtFilter:
    """Take the pieces of a model's text, and give what is the answer's; where they are cut changes nothing.

    With `holds` nothing is given before a closing mark or the end, as thoughts come first. Marks that the
    book itself writes (`quoted` is what was quoted from it) stay, inside an answer; so do those in code.
    """

    def __init__(self, *, holds: bool = False, quoted: str = "") -> None:
        self.seen = ThoughtsSeen()
        self._quoted = quoted
        self._pending = ""
        self._in_thought = False
        self._is_over = False
        self._head = ""
        self._said = False
        self._is_told = False
        self._held: list[str] = []
        self._holds = holds
        self._may_hold = not holds
        self._fence = 0

    @property
    def is_thinking(self) -> bool:
        """Return whether what comes now is kept from the reader."""
        return self._in_thought or self._holds

    def stop_holding(self) -> None:
        """Give what comes as it comes: the server sends thoughts elsewhere."""
        self._holds = self._may_hold = False

    def feed(self, text: str) -> str:
        """Return what of the text so far is the answer's; it may be empty."""
        if self._is_in_plain_text and not _SIGN.search(text):
            return text
        self._pending += text
        return self._drained(final=False)

    def flush(self, *, is_cut: bool = False) -> str:
        """Return the rest, at the end of the text. A thought that was never closed is a thought.

        What was held back is the answer where the model ended it, and a thought where the limit did.
        """
        rest = self._drained(final=True)
        if is_cut and self.is_thinking:
            self.seen.any = True
            return ""
        if self._holds or self._held:
            self._holds, self._may_hold = False, False
            rest = "".join(self._held) + rest
            self._held = []
        return rest

    @property
    def _is_in_plain_text(self) -> bool:
        """Return whether only a sign could begin something here; so it is with most pieces."""
        is_open = self._pending or self._head or self._held or self._fence
        return self._is_told and not (is_open or self._in_thought or self._holds or self._is_over)

    def _drained(self, *, final: bool) -> str:
        given: list[str] = []
        while self._pending and not self._is_over:
            if self._head:
                if not self._take_head(final=final):
                    break
            elif self._in_thought:
                if not self._skip_thought():
                    break
            elif not self._take_text(given, final=final):
                break
        if self._is_over:
            self._pending = ""
        self._is_told = self._is_told or bool(given)
        return "".join(given)

    def _take_text(self, given: list[str], *, final: bool) -> bool:
        """Give the text up to the next mark and act on the mark; return whether more can be taken."""
        mark = _MARK.search(self._pending)
        if mark is None:
            end = len(self._pending) if final else _begun_at(self._pending)
            self._give(self._pending[:end], given, final=final)
            self._pending = self._pending[end:]
            return False
        self._give(self._pending[: mark.start()], given, final=final)
        if self._fence or self._is_the_books(mark.group()):
            self._give(self._pending[mark.start()], given, final=final)
            self._pending = self._pending[mark.start() + 1 :]
            return True
        self._pending = self._pending[mark.end() :]
        self._act_on(str(mark.lastgroup), given)
        return True

    def _is_the_books(self, mark: str) -> bool:
        # (What is held is a thought until its mark comes.)
        return self._said and not self._holds and mark.lower() in self._quoted.lower()

    def _act_on(self, kind: str, given: list[str]) -> None:
        if kind == "opening":
            self._in_thought = self.seen.any = True
        elif kind == "closing":
            self._end_unopened(given)
        elif kind == "channel":
            self._head = kind
        elif kind == "turn":
            # Behind an answer another turn begins, which the model only imagines.
            self._is_over, self._head = self._said, "" if self._said else kind
        elif kind == "end":
            self._is_over = self._said

    def _end_unopened(self, given: list[str]) -> None:
        self.seen.any = self.seen.unopened = True
        self.seen.leaked = self._is_told
        self._held, self._holds, self._may_hold, self._said = [], False, False, False
        given.clear()

    def _skip_thought(self) -> bool:
        """Leave the thought behind; return whether it has ended."""
        for mark in _MARK.finditer(self._pending):
            if mark.lastgroup in ("closing", "channel", "end", "turn"):
                self._pending = self._pending[mark.end() :]
                self._in_thought = False
                self._head = mark.lastgroup if mark.lastgroup in ("channel", "turn") else ""
                return True
        self._pending = self._pending[-_LONGEST_MARK:]
        return False

    def _take_head(self, *, final: bool) -> bool:
        """Read the name of a channel or role; return whether it is whole."""
        head = _HEAD.match(self._pending)
        if head is None and not final and len(self._pending) < _LONGEST_HEAD:
            return False
        name = ((head[1] or head[2] or "") if head else "").lower()
        if self._head == "channel":
            self._in_thought = name.startswith(_THOUGHT_CHANNELS)
            self.seen.any = self.seen.any or self._in_thought
        self._pending = self._pending[head.end() :] if head else self._pending
        self._head = ""
        return True

    def _give(self, text: str, given: list[str], *, final: bool) -> None:
        if not self._said and not self._holds and not self._held:
            # White space between thoughts and answer is neither's.
            text = text.lstrip()
        if not text:
            return
        # What stands in code is shown, not meant.
        self._fence = open_code_mark(self._fence, text)
        self._said = True
        if not self._holds and not self._may_hold:
            given.append("".join([*self._held, text]))
            self._held = []
            return
        self._held.append(text)
        if self._may_hold:
            begun = "".join(self._held).lstrip().lower()
            self._holds = begun.startswith(_OPENERS)
            self._may_hold = not self._holds and any(opener.startswith(begun) for opener in _OPENERS)
            if final or not (self._holds or self._may_hold):
                self._may_hold = False
                if not self._holds:
                    given.append("".join(self._held))
                    self._held = []


def _begun_at(text: str) -> int:
    """Return where a mark may have begun that is cut at the end, else the length."""
    begun = _BEGUN.search(text)
    if begun is None or (begun.group()[0] == "<" and not _BEGUN_TAG.match(begun.group())):
        return len(text)
    if begun.group()[0] == "[" and not any(
        mark.startswith(begun.group().upper()) for mark in ("[THINK]", "[/THINK]", "[INST]", "[/INST]")
    ):
        return len(text)
    return begun.start()
