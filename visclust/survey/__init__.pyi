from visclust.survey.assignment import assign_respondents as assign_respondents
from visclust.survey.assignment_checks import (
    check_assignment as check_assignment,
    describe_assignment as describe_assignment,
)
from visclust.survey.export import export_survey as export_survey
from visclust.survey.reading import read_ratings as read_ratings
from visclust.survey.respondents import (
    drop_respondents as drop_respondents,
    flag_inattentive as flag_inattentive,
    flag_respondents as flag_respondents,
)
from visclust.survey.weights import rake_respondents as rake_respondents
