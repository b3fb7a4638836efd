"""An OpenAPI document of the tasks that a `RESTHandler` answers for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from durable_execution._core.task import TaskDeclaration
from durable_execution.codegen.json_schema import JsonSchema, SchemaWriter
from durable_execution.codegen.openapi_parts import (
    EXECUTION_ID,
    KEY_HEADER,
    LIST_PARAMETERS,
    PARTS,
    RESPONSES,
    SECURITY,
    SECURITY_SCHEMES,
    WAIT,
    execution,
    one_of_many,
    or_null,
    problems,
    reference,
)
from durable_execution.codegen.shapes import UNDEFINED
from durable_execution.codegen.tasks import UNIQUE_ID, TaskShape, read_tasks
from durable_execution.remote.calls.enqueue import MAX_TASKS

VERSION: Final = "3.1.0"


def generate_openapi(
    tasks: Mapping[str, TaskDeclaration[Any, Any]], *, server: str = "/api", title: str = "Tasks"
) -> str:
    """Write an OpenAPI document, the same text for the same hints.

    Args:
        tasks: As given to `create_tasks_router`, or declarations. Keys are those clients use.
        server: The URL of the `RESTHandler`; a path is one of the server that has the document.
        title: What the document is called.

    Raises:
        InvalidOptionError: A value is neither a task nor a declaration, or one of its hints has no
            form in an execution.
    """
    shapes = read_tasks(tasks)
    writer = SchemaWriter(shapes.definitions, PARTS)
    paths: dict[str, object] = {}
    for task in shapes.tasks:
        paths |= _paths_of(writer, task)
    paths["/executions"] = _all_executions(writer, shapes.tasks)
    document = {
        "openapi": VERSION,
        "info": {"title": title, "version": "1"},
        "servers": [{"url": server}],
        "security": SECURITY,
        "paths": paths,
        "components": {
            "responses": RESPONSES,
            "schemas": {**writer.components(), **PARTS},
            "securitySchemes": SECURITY_SCHEMES,
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _paths_of(writer: SchemaWriter, task: TaskShape) -> dict[str, object]:
    executions = f"/tasks/{_escaped(task.key)}/executions"
    one = f"{executions}/{{executionId}}"
    view = execution(writer.use(task.input, "in"), writer.use(task.output, task.output_direction))
    paths: dict[str, object] = {
        executions: {
            "post": _enqueue(writer, task),
            "get": {
                "operationId": f"{task.key}.list",
                "summary": f"List executions of {task.key}",
                "parameters": LIST_PARAMETERS,
                "responses": _responses(reference("TaskExecutionsPage"), 400),
            },
        },
        one: {
            "parameters": [EXECUTION_ID],
            "get": {
                "operationId": f"{task.key}.get",
                "summary": f"Look at an execution of {task.key}, or wait for it to finish",
                "parameters": [WAIT],
                "responses": _responses(view, 400, 404),
            },
        },
        f"{one}/cancel": {
            "parameters": [EXECUTION_ID],
            "post": {
                "operationId": f"{task.key}.cancel",
                "summary": f"Cancel an execution of {task.key}",
                "responses": _responses(view, 404),
            },
        },
    }
    if task.is_sleeping is not False:
        paths[f"/tasks/{_escaped(task.key)}/wakeup"] = {"post": _wake_up(writer, task, view)}
    return paths


def _all_executions(writer: SchemaWriter, tasks: Sequence[TaskShape]) -> JsonSchema:
    keys = {"type": "array", "items": {"enum": [task.key for task in tasks]}}
    names = {"name": "taskId", "in": "query", "description": "Any of these.", "schema": keys}
    wanted = [one_of_many(task.key, *_input(writer, task)) for task in tasks]
    many: JsonSchema = {
        "type": "object",
        "properties": {
            "tasks": {
                "type": "array",
                "items": {"anyOf": wanted},
                "minItems": 1,
                "maxItems": MAX_TASKS,
            }
        },
        "required": ["tasks"],
    }
    return {
        "post": {
            "operationId": "enqueueMany",
            "summary": "Enqueue many tasks at once: all of them or none",
            "requestBody": _json_body(many),
            "responses": {
                "201": _created("The executions, in order.", "EnqueuedMany"),
                **problems(400, 409, 413, 415),
            },
        },
        "get": {
            "operationId": "list",
            "summary": "List executions of all tasks",
            "parameters": [names, *LIST_PARAMETERS],
            "responses": _responses(reference("TaskExecutionsPage"), 400),
        },
    }


def _input(writer: SchemaWriter, task: TaskShape) -> tuple[JsonSchema, Sequence[str]]:
    """Describe the property of an input, and say whether it must be there."""
    if task.input == UNDEFINED:
        return {}, ()
    return (
        {"input": writer.use(task.input, "in")},
        () if writer.takes_null(task.input) else ("input",),
    )


def _created(description: str, schema: str) -> JsonSchema:
    return {
        "description": description,
        "content": {"application/json": {"schema": reference(schema)}},
    }


def _enqueue(writer: SchemaWriter, task: TaskShape) -> JsonSchema:
    properties, required = _input(writer, task)
    properties["options"] = or_null(reference("EnqueueOptions"))
    body: JsonSchema = {"type": "object", "properties": properties, "required": list(required)}
    described = {"description": task.doc} if task.doc else {}
    return {
        "operationId": f"{task.key}.enqueue",
        "summary": f"Enqueue {task.key}",
        **described,
        "parameters": [KEY_HEADER],
        "requestBody": _json_body(body),
        "responses": {
            "201": {
                **_created("The execution, which will be run.", "Enqueued"),
                "headers": {
                    "location": {"description": "Where it is.", "schema": {"type": "string"}}
                },
            },
            **problems(400, 409, 413, 415),
        },
    }


def _wake_up(writer: SchemaWriter, task: TaskShape, view: JsonSchema) -> JsonSchema:
    unique_id = {"sleepingTaskUniqueId": writer.use(UNIQUE_ID, "in")}
    completed: JsonSchema = {
        "type": "object",
        "properties": {
            **unique_id,
            "status": {"const": "completed"},
            "output": writer.use(task.output, "in"),
        },
        "required": ["sleepingTaskUniqueId", "status", "output"],
    }
    failed: JsonSchema = {
        "type": "object",
        "properties": {**unique_id, "status": {"const": "failed"}, "error": {}},
        "required": ["sleepingTaskUniqueId", "status"],
    }
    return {
        "operationId": f"{task.key}.wakeUp",
        "summary": f"Wake up a sleeping execution of {task.key}",
        "requestBody": _json_body({"anyOf": [completed, failed]}),
        "responses": _responses(view, 400, 404, 413, 415),
    }


def _json_body(schema: JsonSchema) -> JsonSchema:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _responses(schema: JsonSchema, *statuses: int) -> JsonSchema:
    content = {"application/json": {"schema": schema}}
    return {
        "200": {"description": "As it is now.", "content": content},
        **problems(*statuses),
    }


def _escaped(key: str) -> str:
    """Write a key as a part of a path. Braces would mean something else in a document."""
    return quote(key, safe="")
