"""Reading a box from the command line."""


def parse_box(option: str, text: str) -> str | tuple[float, float, float]:
    """Turn a name, `180` or `180,160,190` into the name or three lengths in millimetres.

    Args:
        option: what the option is called, for the message.
        text: what the user wrote.

    Raises:
        ValueError: neither one length nor three.
    """
    try:
        lengths = [float(part) for part in text.split(",")]
    except ValueError:
        return text
    if len(lengths) not in (1, 3):
        raise ValueError(
            f"`{option}` must be a name, one length or three, got {text!r}; as 180,160,190."
        )
    dim1, dim2, dim3 = lengths * 3 if len(lengths) == 1 else lengths
    return dim1, dim2, dim3
