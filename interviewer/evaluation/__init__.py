"""How well a judge agrees with labels: the metrics that the notes teach, over verdicts and scores."""
