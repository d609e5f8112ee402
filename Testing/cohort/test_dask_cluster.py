import pytest

from BrainstemALSLib import __version__
from BrainstemALSLib.cohort import dask_cluster
from BrainstemALSLib.cohort.dask_cluster import DaskCluster
from BrainstemALSLib.cohort.tables import read_cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from Testing.cohort import light

# The cluster's own clean-up, not ours.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
    ) as running:
        yield running


def test_a_cluster_does_the_same_work_with_one_warm_segmenter(tmp_path, run, cluster):
    root, out = light.dataset(tmp_path / "bids", 3), tmp_path / "out"
    light.write_t1(root / "sub-02" / "ses-01", "sub-02_ses-01", 1, brightest=light.BRIGHT + 100)
    before = light.LightSegmenter.loads
    runner = DaskCluster(cluster.scheduler_address, threads=1)
    summary, _ = run(root, out, runner=runner)
    assert (summary.count("done"), summary.count("failed")) == (2, 1)
    assert light.LightSegmenter.loads - before <= 1
    assert set(read_cohort(out).measures.participant_id) == {"sub-01", "sub-03"}
    summary, _ = run(root, out, runner=DaskCluster(cluster.scheduler_address, threads=1))
    assert (summary.count("unchanged"), summary.count("failed")) == (2, 1)


def test_workers_of_another_version_are_refused(tmp_path, run, cluster, monkeypatch):
    root, out = light.dataset(tmp_path / "bids", 1), tmp_path / "out"
    monkeypatch.setattr(dask_cluster, "look_around", lambda root, out: ("0.0.1", True, True))
    with pytest.raises(BrainstemALSError, match=r"0\.0\.1") as refusal:
        run(root, out, runner=DaskCluster(cluster.scheduler_address))
    assert refusal.value.code == ExitCode.USAGE
    monkeypatch.setattr(dask_cluster, "look_around", lambda root, out: (__version__, True, False))
    with pytest.raises(BrainstemALSError, match="does not see the folders"):
        run(root, out, runner=DaskCluster(cluster.scheduler_address))


def test_no_scheduler_at_the_address_is_one_sentence(tmp_path, run, monkeypatch):
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    monkeypatch.setattr(dask_cluster, "_CONNECT_S", 0.5)
    root, out = light.dataset(tmp_path / "bids", 1), tmp_path / "out"
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        with pytest.raises(BrainstemALSError, match="no Dask scheduler"):
            run(root, out, runner=DaskCluster(address))


def test_without_dask_the_sentence_says_how_to_get_it(tmp_path, run, monkeypatch):
    monkeypatch.setattr(dask_cluster, "find_spec", lambda name: None)
    root, out = light.dataset(tmp_path / "bids", 1), tmp_path / "out"
    with pytest.raises(BrainstemALSError, match="pip install") as refusal:
        run(root, out, runner=DaskCluster("tcp://127.0.0.1:9"))
    assert refusal.value.code == ExitCode.MISSING_PACKAGE
