"""What schemathesis may not know: rules that no JSON Schema can say.

Each is named by the refusal that follows from it, as it stands in the answer. A valid request that is
refused for anything else is a failure of the document or of the gateway.
"""

import re
from typing import Any

import schemathesis

RULES = [
    ("INVALID_CURSOR", r"This cursor is not valid here"),
    ("COMMUNITY_SELF_FOLLOW", r"You cannot follow yourself"),
    ("VALIDATION_ERROR", r"`user_id` must be somebody else's"),
    ("VALIDATION_ERROR", r"`page` must not stand beside a cursor"),
    ("VALIDATION_ERROR", r"`page` times limit must be at most"),
    ("VALIDATION_ERROR", r"`(epoch|seq)` is required with the other"),
    ("VALIDATION_ERROR", r"`ids` is required, or `before`"),
    ("VALIDATION_ERROR", r"`before` must not stand beside `ids`"),
]


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether it is one."""
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    problem = response.json()
    return not any(
        problem["code"] == code and re.match(detail, problem["detail"]) for code, detail in RULES
    )
