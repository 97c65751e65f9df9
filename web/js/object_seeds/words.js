import { sayer } from "../page/words.js";

export const say = sayer("objectSeeds");
