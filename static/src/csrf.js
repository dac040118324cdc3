/** The token from its cookie, read at each request: it changes when somebody signs in again in another tab. */
export function csrfToken() {
  const match = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  return match ? decodeURIComponent(match[1]) : "";
}
