"""The list of the batch benchmark: ten jobs broken in ten ways, and its table."""

from batch import find_other_bytes, format_figures, make_jobs

from g4g.jobs.read import read_jobs


def test_ten_jobs_are_broken_in_ten_ways(data_dir, tmp_path):
    found = read_jobs(make_jobs(tmp_path, 3, 5, 0.2))
    assert len(found) == 15
    usual = {f"clip{n}.mp4" for n in range(3)}, {f"sound{n}.wav" for n in range(5)}
    odd = [
        job for job in found
        if job.problem or len(job.options) > 1 or job.source.name not in usual[0] or job.audio.name not in usual[1]
    ]  # fmt: skip
    assert len(odd) == 10
    missing = {file.name for job in found for file in job.inputs().values() if not file.exists()}
    assert missing == {"absent.mp4"}


def test_the_table_marks_a_ratio_that_is_too_low_and_outputs_that_differ():
    run = {"engine": "local", "seconds": 10, "jobs_per_min": 1, "done": 5, "failed": 1, "peak_mb": 900}
    run |= {"sentences": ["no face"], "hashes": {"a.mp4": "1", "b.mp4": "2"}}
    figures = {
        "about": {"clips": 3},
        "local, 1 workers": {**run, "workers": 1, "frames_per_s": 4.0},
        "local, 2 workers": {**run, "workers": 2, "frames_per_s": 6.0},
        "killed worker": {"done": 1, "hashes": {"a.mp4": "1"}},
    }
    table = format_figures(figures)
    assert "| 1.50 ! |" in table and table.endswith("- no face") and "in all runs: none\n" in table
    assert "about: {'clips': 3}" in table and "killed worker: {'done': 1}" in table
    figures["killed worker"]["hashes"]["a.mp4"] = "3"
    figures["local, 2 workers"]["hashes"] = {"a.mp4": "1"}
    assert find_other_bytes(figures) == ["local, 2 workers: b.mp4 is missing", "killed worker: a.mp4 differs"]
