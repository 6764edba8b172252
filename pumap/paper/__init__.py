"""The paper: its data sets, experiments, scorecard, figures and command line."""
