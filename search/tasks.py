"""Background jobs of the read way, behind all documents that wait in the same queue: golden runs, warming."""

from __future__ import annotations

from datetime import datetime

from asgiref.sync import async_to_sync
from django.db import close_old_connections, transaction
from django.db.models import QuerySet
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Status as JobStatus

from documents.tasks import QUEUE
from search import golden, warming

#: Documents come first: theirs is 0.
PRIORITY = -10
#: Nobody waits for it.
IDLE = -100


@app.task(queue=QUEUE, name="search.golden_run", priority=PRIORITY)
def golden_run(run_id: int) -> None:
    """Perform a run, once: what is not queued any more is left alone. Failures stay on the run."""
    close_old_connections()
    try:
        golden.run_perform(pk=run_id)
    finally:
        close_old_connections()


def enqueue(run_id: int) -> None:
    """Put a run's job into the current transaction."""
    golden_run.configure(queueing_lock=f"golden:{run_id}").defer(run_id=run_id)


def waiting() -> list[int]:
    """Runs whose job nobody has taken yet."""
    jobs = ProcrastinateJob.objects.filter(task_name=golden_run.name, status="todo")
    return [int(args["run_id"]) for args in jobs.values_list("args", flat=True)]


def taken() -> dict[int, datetime]:
    """Runs whose job a worker has, and since when."""
    jobs = ProcrastinateJob.objects.filter(task_name=golden_run.name, status="doing")
    begun = ProcrastinateEvent.objects.filter(job__in=jobs, type="started").order_by("at")
    return {int(args["run_id"]): at for args, at in begun.values_list("job__args", "at") if at}


def close(run_id: int) -> None:
    """End what a dead worker left of a run's job; it is not tried again."""
    left = ProcrastinateJob.objects.filter(task_name=golden_run.name, status="doing", args__run_id=run_id)
    give_up(left, delete=False)


def give_up(jobs: QuerySet[ProcrastinateJob], *, delete: bool) -> None:
    finish = async_to_sync(app.job_manager.finish_job_by_id_async)
    for pk in list(jobs.values_list("pk", flat=True)):
        finish(job_id=pk, status=JobStatus.FAILED, delete_job=delete)


@app.task(queue=QUEUE, name="search.warm", priority=IDLE)
def warm() -> None:
    """Ask popular questions again. What a dead worker leaves of it is nothing that anybody misses."""
    close_old_connections()
    try:
        warming.warm()
    finally:
        close_old_connections()


def enqueue_warming() -> None:
    """Queue it, unless it waits already; the job of a worker that died goes."""
    give_up(ProcrastinateJob.objects.filter(task_name=warm.name, status="doing", worker=None), delete=True)
    try:
        with transaction.atomic():
            warm.configure(queueing_lock="warm").defer()
    except AlreadyEnqueued:
        return
