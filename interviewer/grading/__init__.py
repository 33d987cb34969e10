"""From an answer to a grade: gates, judge, evidence check, score."""
