"""What the judgement of the cameras means for their next checks.

The watch loop writes, the camera rounds read; neither waits for the other.
"""


class CameraBoard:
    """Ids of cameras. `well`: may be learned; `in_question`: to be looked at again at once.

    `faulty` have a fault of their picture that is raised.
    """

    def __init__(self) -> None:
        self.well: frozenset[str] = frozenset()
        self.in_question: frozenset[str] = frozenset()
        self.faulty: frozenset[str] = frozenset()
