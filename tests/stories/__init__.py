"""Stories: rehearsals and the timelines that they must give."""
