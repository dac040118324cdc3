"""How fast a round goes, and how long the rest of it will take: steps to learn from, images to look at."""

from dataclasses import dataclass, field

# The first steps warm up caches and allocators: they say little about those to come.
WARMING = 2
# Before the first evaluation: to look at an image takes about so much of what learning from it takes.
LOOK_SHARE = 0.4


@dataclass
class Work:
    """What a run has in front of it, in steps and in images that are looked at (evaluation)."""

    steps: int = 0
    looks: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.steps + other.steps, self.looks + other.looks)


@dataclass
class Pace:
    """Measures steps and looks of one process; `after` is the work of the runs that follow the present one."""

    after: Work = field(default_factory=Work)
    _steps: int = 0
    _images: int = 0
    _step_seconds: float = 0.0
    _looks: int = 0
    _look_seconds: float = 0.0
    _warm: tuple[int, int, float] = (0, 0, 0.0)

    def stepped(self, images: int, seconds: float) -> None:
        """A step on so many images took so long."""
        self._steps += 1
        self._images += images
        self._step_seconds += seconds
        if self._steps == WARMING:
            self._warm = (self._steps, self._images, self._step_seconds)

    def looked(self, images: int, seconds: float) -> None:
        """To look at so many images, and to judge what was found, took so long."""
        self._looks += images
        self._look_seconds += seconds

    @property
    def images_per_second(self) -> float:
        """Images that steps learned from, without those of the first steps once there are others; 0 at first."""
        _, images, seconds = self._settled()
        return round(images / seconds, 3) if seconds > 0 else 0.0

    def left(self, steps: int, looks: int = 0) -> float:
        """Seconds that so many steps and looks will take, and the work that comes after them."""
        done, images, seconds = self._settled()
        a_step = seconds / done if done else 0.0
        guess = LOOK_SHARE * seconds / images if images else 0.0
        a_look = self._look_seconds / self._looks if self._looks else guess
        return a_step * (steps + self.after.steps) + a_look * (looks + self.after.looks)

    def _settled(self) -> tuple[int, int, float]:
        steps, images, seconds = self._warm
        if self._steps > 2 * WARMING:
            return self._steps - steps, self._images - images, self._step_seconds - seconds
        return self._steps, self._images, self._step_seconds
