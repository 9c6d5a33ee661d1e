"""The patrol's report of a day or a month, from the record alone: on screen, CSV, XLSX, HTML."""
