"""Give a page the token that its questions need (`POST /widget/token`)."""

from __future__ import annotations

from flask import Response
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel, Field
from werkzeug.exceptions import NotFound

from ragbot.services import current_services
from ragbot.web.middleware import widget_tokens as tokens_of_pages
from ragbot.web.schemas import Nothing, TokenHeaders, json_reply

widget_tokens = APIBlueprint(
    "widget_tokens", __name__, abp_tags=[Tag(name="Book", description="The book that is asked.")]
)


class TokenReply(BaseModel):
    """Hold a token."""

    token: str = Field(description="What questions send as `X-Ragbot-Token`.")
    expires_in: int = Field(description="Seconds for which it is good.")


@widget_tokens.post("/widget/token", responses={"200": TokenReply}, summary="Get a page's token")
def issue(query: Nothing, header: TokenHeaders) -> Response:  # noqa: ARG001
    """Return a token for the page that calls, bound to its origin.

    A page that sends the token that it has gets a new one in the same session, by which its questions are
    counted. Where `GET /book` says that no token is required, there is no such address.
    """
    tokens = tokens_of_pages.widget_tokens(current_services().settings)
    if tokens is None:
        raise NotFound
    origin = tokens_of_pages.allowed_origin()
    session = tokens.session_of(header.x_ragbot_token or "", origin)
    return json_reply({"token": tokens.issue(origin, session), "expires_in": tokens.lifetime_s})
