"""The plan: plain arithmetic from measured and assumed rates, with what breaks first."""

from pathlib import Path

import pytest

import visclust as vc
from visclust.scale.plan import RATES


def test_hours_and_costs_are_those_by_hand():
    plan = vc.plan_scale(
        posts=7_200_000,
        images=3_600_000,
        workers=10,
        gpus=2,
        rates={"read": 1000, "embed": 10},
        gpu_rate=1000,
        storage_rate=1e12,
        core_prices=(0.5, 2),
        gpu_prices=(1, 3),
    ).set_index("step")
    read = plan.loc["read posts"]
    assert (read["machine_hours"], read["hours"], read["cost_low"], read["cost_high"]) == (2, 0.2, 1, 4)
    cores, gpus = plan.loc["embed on cores"], plan.loc["embed on GPUs"]
    assert (cores["machine_hours"], cores["hours"], cores["limit"]) == (100, 10, "cores")
    assert (gpus["machine_hours"], gpus["hours"], gpus["cost_high"], gpus["limit"]) == (1, 0.5, 3, "gpus")
    assert gpus["rests_on"] == "an assumed rate"
    assert cores["gigabytes_written"] == 3_600_000 * 512 * 4 / 1e9 // 0.01 / 100


def test_storage_is_the_limit_where_it_is_slow_and_machines_that_wait_are_paid():
    plan = vc.plan_scale(posts=0, images=10**8, workers=10**6, storage_rate=1e9, core_prices=(1, 1))
    means = plan.set_index("step").loc["k-means"]
    assert means["limit"] == "storage"
    assert means["hours"] == pytest.approx(10**8 * 512 * 4 * 200 / 1e9 / 3600, rel=1e-3)
    assert means["cost_low"] == pytest.approx(means["hours"] * 10**6, rel=1e-3)


def test_one_step_breaks_first_and_a_corpus_without_gpus_has_no_row_for_them():
    plan = vc.plan_scale(gpus=0)
    assert plan["breaks_first"].sum() == 1
    assert plan.loc[plan["hours"].idxmax(), "breaks_first"]
    assert "embed on GPUs" not in set(plan["step"])
    few = vc.plan_scale(workers=8, storage_rate=1e12, gpus=64, gpu_rate=1e6).set_index("step")["breaks_first"]
    assert few[few].index.tolist() == ["hash images"]  # not embedding on cores, which nobody needs then
    assert set(RATES) == {"read", "index", "hash", "embed", "k-means pass", "silhouettes", "assign"}
    assert min(RATES.values()) > 1


def test_the_page_has_the_numbers_of_the_plan():
    page = (Path(vc.__file__).parent / "SCALE.md").read_text(encoding="utf-8")
    for row in vc.plan_scale().itertuples():
        step = f"{row.step} **(breaks first)**" if row.breaks_first else row.step
        (line,) = [line for line in page.splitlines() if line.startswith(f"| {step} |")]
        cells = [f"{row.machine_hours:,.1f}", f"{row.hours:,.2f}", row.limit, f"{row.cost_low:,.2f}"]
        assert f"| {' | '.join(cells)} |" in line, line


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"core_prices": (2, 1)}, "core_prices to be two prices"),
        ({"rates": {"paint": 3}}, "rates to be numbers above 0 by names among read"),
        ({"sizes": {"image": 0}}, "sizes to be numbers"),
        ({"gpu_rate": 0.0}, "gpu_rate to be a number above 0"),
        ({"workers": 0}, "workers"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(options, match):
    with pytest.raises(ValueError, match=match):
        vc.plan_scale(**options)
