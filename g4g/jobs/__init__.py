"""Many videos: lists of jobs, workers on one machine or many, and what became of each job."""
