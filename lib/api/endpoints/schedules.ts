import { MAX_JOB_BYTES } from "../jobs.ts";
import { BoardQuery, DeliveryBoard, DeliveryList, DeliveryQuery } from "../deliveries.ts";
import {
  NewPreview,
  NewSchedule,
  PreviewQuery,
  ScheduleChange,
  ScheduleList,
  SchedulePreview,
  ScheduleRecord,
  ScheduleRun,
  ScheduleRunAnswer,
} from "../schedules.ts";
import type { Endpoint } from "./endpoint.ts";

const theSchedule = { status: 200, description: "The schedule", schema: ScheduleRecord } as const;

/** REST calls about schedules, which make jobs at certain times, and about their deliveries. */
export const scheduleEndpoints = {
  createSchedule: {
    method: "POST",
    path: "/api/schedules",
    summary: "Make a job at each of these times",
    role: "operator",
    audit: "schedule_create",
    body: NewSchedule,
    largeBody: { field: "job", bytes: MAX_JOB_BYTES },
    answers: [
      {
        status: 201,
        description: "The schedule",
        schema: ScheduleRecord,
        headers: { Location: "The schedule" },
      },
    ],
    errors: ["client_not_found", "request_too_large"],
  },
  listSchedules: {
    method: "GET",
    path: "/api/schedules",
    summary: "All schedules, by name",
    role: "viewer",
    answers: [{ status: 200, description: "All of them", schema: ScheduleList }],
    errors: [],
  },
  getSchedule: {
    method: "GET",
    path: "/api/schedules/:name",
    summary: "One schedule, and how it stands with its newest time",
    role: "viewer",
    answers: [theSchedule],
    errors: ["schedule_not_found"],
  },
  changeSchedule: {
    method: "PATCH",
    path: "/api/schedules/:name",
    summary: "Change a schedule, pause it, or have it go on",
    role: "operator",
    audit: "schedule_change",
    body: ScheduleChange,
    largeBody: { field: "job", bytes: MAX_JOB_BYTES },
    answers: [theSchedule],
    errors: ["schedule_not_found", "client_not_found", "request_too_large"],
  },
  deleteSchedule: {
    method: "DELETE",
    path: "/api/schedules/:name",
    summary: "Forget a schedule and what it expected; its jobs and downloads stay",
    role: "operator",
    audit: "schedule_delete",
    answers: [theSchedule],
    errors: ["schedule_not_found"],
  },
  previewSchedule: {
    method: "GET",
    path: "/api/schedules/:name/preview",
    summary: "The next times of a schedule, in each zone of its clients",
    role: "viewer",
    query: PreviewQuery,
    answers: [{ status: 200, description: "The times by zone", schema: SchedulePreview }],
    errors: ["schedule_not_found"],
  },
  previewTimes: {
    method: "POST",
    path: "/api/schedules/preview",
    summary: "The next times of a schedule that is not made yet, in each zone of its clients",
    role: "operator",
    body: NewPreview,
    largeBody: { field: "clients", bytes: MAX_JOB_BYTES },
    answers: [{ status: 200, description: "The times by zone", schema: SchedulePreview }],
    errors: ["client_not_found", "request_too_large"],
  },
  runSchedule: {
    method: "POST",
    path: "/api/schedules/:name/run",
    summary: "Ask now, or again for one of the times, with its dates",
    role: "operator",
    audit: "schedule_run",
    body: ScheduleRun,
    bodyIsOptional: true,
    answers: [
      { status: 202, description: "The jobs, one for each zone", schema: ScheduleRunAnswer },
    ],
    errors: ["schedule_not_found", "client_not_found", "request_too_large"],
  },
  listDeliveries: {
    method: "GET",
    path: "/api/schedules/:name/deliveries",
    summary: "What is expected of each client at each time, and what came, newest first",
    role: "viewer",
    query: DeliveryQuery,
    answers: [{ status: 200, description: "A page of them", schema: DeliveryList }],
    errors: ["schedule_not_found"],
  },
  showBoard: {
    method: "GET",
    path: "/api/schedules/:name/board",
    summary: "The clients by status, by time, newest first",
    role: "viewer",
    query: BoardQuery,
    answers: [
      {
        status: 200,
        description:
          "A page of times, each with all of its clients; fewer times if there are many clients",
        schema: DeliveryBoard,
      },
    ],
    errors: ["schedule_not_found"],
  },
} as const satisfies Record<string, Endpoint>;
