"""The instructions that go with the files of an exported survey."""

__all__ = ["CSV_INSTRUCTIONS", "PAGE_INSTRUCTIONS", "QUALTRICS_INSTRUCTIONS"]

CSV_INSTRUCTIONS = """How to use survey.csv

Each row is one image for one respondent, in the order of "position". Show the respondent the image (its
address is in the row, if one was given), ask how much it makes them feel each of
  {items}
from {low} (not at all) to {high} (very much), and write the numbers into the columns of these names.
Leave a cell empty where there is no answer. "seconds" may hold the seconds that the image took.
Do not change "respondent" and "image_id". An apostrophe before = + - @ keeps spreadsheets from running
text as a formula; leave it there.

Back in Python: visclust.read_ratings("survey.csv", assignment)
"""

PAGE_INSTRUCTIONS = """How to use the pages

Each file in "pages" is for one respondent; respondents.csv says whose it is. It runs in any current
browser, offline. The respondent rates {n} images, presses "Download answers" at the end, and sends the
file back. Gather the files that come back in one folder.

Back in Python: visclust.read_ratings("folder of the files", assignment)
"""

QUALTRICS_INSTRUCTIONS = """How to build this survey in Qualtrics

1. Import the questions. Create a project from a file and choose survey.txt (Qualtrics' "Advanced Format").
   You get an introduction, a block "Rating" with a matrix question "{tag}" ({n_items} statements,
   {low} to {high}) and a hidden timing question "{time}", and, at the top of the survey flow, the embedded
   data respondent, group, image_1 to image_{m} and address_1 to address_{m}. Leave their values empty:
   they come with each respondent.

2. Turn on Loop & Merge for the block "Rating". Paste the rows of loop_and_merge.csv into its table:
   {m} loops, Field 1 is the image's id, Field 2 its address. Do NOT randomize the order of the loops: the
   order of the images is already random for each respondent. To show the items in random order, randomize
   the statements of the question.

3. Bring the respondents, in one of two ways.
   a) You know them: add a column Email to contacts.csv (Qualtrics asks for it), upload the file as a
      contact list, keep all other columns as embedded data, and send personal links.
   b) A panel sends them: give each person who enters one row of links.csv, in the order of the rows within
      their group, and append its "query" to the survey's anonymous link after a "?". Use each row once.

4. Test with one link: {m} images appear, each with {n_items} statements. Delete the test responses, or
   leave them: read_ratings sets previews aside and lists them.

5. Export the answers: Data & Analysis, Export, CSV, all fields, with numeric values or with choice text.
   Keep the three header rows. The columns are called 1_{tag}_1 (loop, question, statement) and so on.

6. Back in Python: visclust.read_ratings("export.csv", assignment)

A cell that begins with an apostrophe before = + - @ is guarded so that spreadsheets do not run it as a
formula; read_ratings takes the apostrophe away again.

These files follow Qualtrics' documentation of Loop & Merge, embedded data, contact lists and text import.
They have not been tried in a Qualtrics account: do step 4 before you send anything.
"""
