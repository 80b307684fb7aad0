"""The words in which services say why they take no message, where their status alone does not tell.

Pure; called by the senders. Only words from these tables are ever shown, so that nothing that a server echoes is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from rollout.notify.senders.answers import NOTHING, Answer, Fate, Said

Reading = Callable[[Answer], Said]
"""What an answer of one kind of sink says."""

_REFUSED = """
    attachment_payload_limit_exceeded invalid_arg_name invalid_arguments invalid_array_arg invalid_attachments
    invalid_blocks invalid_blocks_format invalid_charset invalid_form_data invalid_metadata_format
    invalid_metadata_schema invalid_payload invalid_post_type markdown_text_conflict message_limit_exceeded
    metadata_too_large missing_post_type msg_blocks_too_long msg_too_long no_text restricted_action_unsafe_link
    too_many_attachments too_many_contact_cards unknown_method_payload
"""

_NEVER = """
    access_denied account_inactive accesslimited action_prohibited as_user_not_supported channel_is_archived
    channel_not_found deprecated_endpoint ekm_access_denied enterprise_is_restricted invalid_auth invalid_token
    is_archived is_inactive messages_tab_disabled method_deprecated method_not_supported_for_channel_type missing_scope
    no_active_hooks no_permission no_service no_service_id no_team not_allowed_token_type not_authed not_in_channel
    org_login_required posting_to_general_channel_denied restricted_action restricted_action_non_threadable_channel
    restricted_action_read_only_channel restricted_action_thread_locked restricted_action_thread_only_channel
    slack_connect_blocked_file_type slack_connect_file_link_sharing_blocked team_access_not_granted team_disabled
    team_not_found token_expired token_revoked two_factor_setup_required user_not_found
"""

_LATER = """
    fatal_error internal_error request_timeout rollup_error server_error service_unavailable team_added_to_org
"""

_THREAD_GONE = "cannot_reply_to_message invalid_thread_ts message_not_found thread_not_found"

THREAD_GONE = frozenset((*_THREAD_GONE.split(), "channel_not_found", "is_archived", "not_in_channel"))
"""Words of Slack for a thread that is there no more, or whose channel is not the one any more."""

SLACK: Mapping[str, Fate] = {
    **dict.fromkeys(_REFUSED.split(), Fate.REFUSED),
    **dict.fromkeys(_NEVER.split(), Fate.NEVER),
    **dict.fromkeys(_LATER.split(), Fate.LATER),
    **dict.fromkeys(_THREAD_GONE.split(), Fate.REFUSED),
    "ratelimited": Fate.TOO_MANY,
    "rate_limited": Fate.TOO_MANY,
}
"""What Slack's words mean, of its incoming webhooks and of its Web API."""

_MOST_CODE = 9_999_999
_MATTERMOST = "web.incoming_webhook."

MATTERMOST: Mapping[str, Fate] = {
    **dict.fromkeys(("invalid", "disabled", "user", "channel", "channel_locked", "permissions"), Fate.NEVER),
    **dict.fromkeys(("attachment", "decode", "parse", "split_props_length", "text", "text.length"), Fate.REFUSED),
}
"""What the middle of Mattermost's ``web.incoming_webhook.….app_error`` means; of ``general`` its status says more."""


def silent(_: Answer) -> Said:
    """Return that the status says it all."""
    return NOTHING


def receiver(answer: Answer) -> Said:
    """Read the answer of a receiver of events: 409 says that it has had this very id, which is as good as taken."""
    return Said("it has had this id before", Fate.TAKEN) if answer.status == 409 else NOTHING  # noqa: PLR2004 - 409


def slack_hook(answer: Answer) -> Said:
    """Read the answer of a Slack incoming webhook: one word, with a status that fits it most of the time."""
    word = answer.body[:64].decode(errors="replace").strip()
    return Said(word, SLACK[word]) if word in SLACK else NOTHING


def slack_api(answer: Answer) -> Said:
    """Read the answer of Slack's Web API, which says 200 whatever happened, and ``ok`` in the body."""
    found = object_in(answer.body)
    word = found.get("error")
    if found.get("ok") is True:
        return NOTHING
    if isinstance(word, str):
        return Said(word, SLACK[word]) if word in SLACK else Said("with a word that is not known", Fate.NEVER)
    return Said("not as Slack's API does", Fate.LATER) if answer.good else NOTHING


def discord(answer: Answer) -> Said:
    """Read the answer of Discord: the status decides, and its number says why."""
    code = object_in(answer.body).get("code")
    return Said(f"Discord's code {code}") if isinstance(code, int) and 0 < code <= _MOST_CODE else NOTHING


def mattermost(answer: Answer) -> Said:
    """Read the answer of Mattermost, which says 400 also for a hook that does not exist."""
    found = object_in(answer.body).get("id")
    if not isinstance(found, str) or not found.startswith(_MATTERMOST):
        return NOTHING
    middle = found.removeprefix(_MATTERMOST).removesuffix(".app_error")
    fate = MATTERMOST.get(middle)
    return NOTHING if fate is None else Said(found, fate)


def object_in(body: bytes) -> Mapping[str, object]:
    """Return the JSON object that a body is, an empty one when it is none."""
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
