"""What a language model is told about arguments that cannot be used."""

from pydantic import ValidationError


def unusable(error: ValidationError) -> str:
    """Which argument is wrong, and why; without its value."""
    wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return f"These arguments cannot be used: {wrong}"
