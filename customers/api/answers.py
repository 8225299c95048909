"""What the API answers, for its documentation."""

from typing import Literal

from pydantic import BaseModel


class ErrorAnswer(BaseModel):
    """One thing that is wrong: a JSON pointer into the body, and a sentence with a remedy."""

    pointer: str
    detail: str


class ProblemAnswer(BaseModel):
    """A refusal (RFC 9457, application/problem+json)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ErrorAnswer] = []


class Result(BaseModel):
    """What became of one item, by its place in the request."""

    index: int
    outcome: str
    id: int | None = None
    customer_id: int | None = None
    errors: list[ErrorAnswer] = []
    notes: list[ErrorAnswer] = []


class BatchAnswer(BaseModel):
    """What became of each item, and how many of each; 207 where some were refused."""

    counts: dict[str, int]
    results: list[Result]


class CustomerAnswer(BaseModel):
    """One customer."""

    id: int
    external_id: str
    name: str
    gender: Literal["female", "male", ""]
    city: str
    province: str
    phone: str
    email: str
    tags: list[str]
    tier: str


ANSWERS = dict.fromkeys((400, 401, 403, 404, 409, 413, 422, 429, 503), ProblemAnswer)
