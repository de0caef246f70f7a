/** The thread of one model's fits (fits.ts): fits what it is started with, answers, and is ended by who started it. */
import { parentPort, workerData } from "node:worker_threads";
import { type Fits, fittedHere } from "./fits.ts";

parentPort!.postMessage(fittedHere(workerData as Fits));
