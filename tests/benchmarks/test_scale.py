"""What many minutes need: planted figures whose answer is known."""

import json
from dataclasses import replace

import pytest
from scale import FIGURES, Figures, Work, compute_needs, format_needs

ONE = Figures(
    machine="planted", video="planted", look_s=0.2, dub_s=0.1, network_share=0.75, avatar_bytes=2e4,
    library_bytes=0, video_bytes=1e4, dub_bytes=1e4, worker_bytes=2e9,
)  # fmt: skip


def test_needs_of_planted_figures_are_known():
    work = Work(
        minutes=1000, languages=4, fps=25, days=1, busy=1, core_hour=0.1, gb_month=0.3, gb_moved=0.01, link_gbit_s=8
    )
    needs = compute_needs(ONE, work)
    seen = 1.5e6  # frames of the videos
    assert needs.frames == 4 * seen
    assert needs.core_hours_look == pytest.approx(seen * 0.2 / 3600)
    assert needs.core_hours_dub == pytest.approx(4 * seen * 0.1 / 3600)
    assert needs.core_hours_without_avatars == pytest.approx(4 * seen * 0.3 / 3600)
    assert needs.cores == pytest.approx((0.3e6 + 0.6e6) / 86_400)
    assert (needs.video_bytes, needs.avatar_bytes, needs.dub_bytes) == pytest.approx((1.5e10, 3e10, 6e10))
    assert needs.moved_bytes == pytest.approx(1.5e10 + 3e10 + 4 * 3e10 + 6e10)
    assert needs.gbit_s == pytest.approx(8 * 2.25e11 / 86_400 / 1e9)
    assert needs.most_cores == pytest.approx(1e9 / (2.25e11 / 0.9e6))
    assert needs.gpu_speedup_limit == pytest.approx(4)
    assert needs.cost_cores == pytest.approx(25) and needs.cost_network == pytest.approx(2.25)
    assert needs.cost_storage == pytest.approx(105 * 0.3 / 30)


def test_pictures_of_mouths_weigh_only_until_the_library_is_full():
    full = replace(ONE, avatar_bytes=0, library_bytes=1e5)

    def library(minutes: float) -> float:
        return compute_needs(full, Work(minutes=100, video_minutes=minutes)).avatar_bytes

    assert library(0.5) == pytest.approx(100 * 1500 * 1e5)
    assert library(10) == pytest.approx(10 * 112 * 1024**2)


def test_idle_cores_cost_as_well_and_the_shipped_figures_fill_the_table():
    half, whole = (compute_needs(ONE, Work(busy=busy)) for busy in (0.5, 1.0))
    assert half.cores == pytest.approx(2 * whole.cores) and half.cost_cores == pytest.approx(2 * whole.cost_cores)
    needs = compute_needs(Figures(**json.loads(FIGURES.read_text())), Work())
    table = format_needs(needs, Work())
    assert "1,000,000 min, 6 languages" in table and "nan" not in table
