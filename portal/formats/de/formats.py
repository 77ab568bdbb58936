"""Dates and times as the pages write them in German."""

DATE_FORMAT = "j. N Y"
SHORT_DATE_FORMAT = "d.m.Y"
MONTH_DAY_FORMAT = "j. N"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j. N Y, H:i"
SHORT_DATETIME_FORMAT = "d.m.Y H:i"
