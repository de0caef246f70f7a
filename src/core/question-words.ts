/** A question as it is compared with others word for word: case and spaces aside. */
export function questionWords(question: string): string {
  return question.toLowerCase().replace(/\s+/g, " ").trim();
}
