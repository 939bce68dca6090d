"""Numbers as people read them: with no more decimals than it takes to see that they differ."""

from math import inf

MOST_DECIMALS = 6


def told_apart(*numbers: float, least: int = 2) -> tuple[str, ...]:
    """Write numbers that stand beside each other, all with as many decimals.

    Different numbers look different, and only nothing looks like nothing, if six decimals do.

    Args:
        numbers: what is written.
        least: the fewest decimals.
    """
    different = len(set(numbers))
    smallest = min((abs(number) for number in numbers if number), default=inf)
    for decimals in range(least, MOST_DECIMALS + 1):
        texts = tuple(f"{number:,.{decimals}f}" if number else "0" for number in numbers)
        if len(set(texts)) == different and smallest >= 0.5 * 10**-decimals:
            break
    return texts
