"""The goals of the speed benchmark belong to sizes and lengths."""

import pytest
import speed

from g4g.dubbing import Dubber


@pytest.mark.parametrize(
    ("size", "length_s", "goal"),
    [((1280, 720), 10, 25), ((720, 1280), 58, 30), ((360, 288), 3, 60), ((1920, 1080), 9, 12), ((99, 99), 9, None)],
)
def test_a_video_has_the_goal_of_its_size_and_length(size, length_s, goal):
    assert speed.choose_goal(*size, length_s) == goal


def test_goals_are_the_least_or_the_most():
    assert "reached" in speed.grade(25.0, 25) and "MISSED" in speed.grade(24.9, 25)
    assert "reached" in speed.grade(2.9, 3, is_most=True) and "MISSED" in speed.grade(3.1, 3, is_most=True)


def test_dubs_are_timed_and_printed(grid_clip, capsys):
    runs = speed.time_dubs(Dubber.from_pretrained("g4g-tiny"), grid_clip, grid_clip, 2)
    assert len(runs) == 2 and all(0 < run.first_frame_s < run.seconds for run in runs)
    speed.print_runs(runs, 1e9)
    said = capsys.readouterr().out
    assert "draw" in said and "MISSED" in said and "first frame written after" in said
