// GET /api/hello?name=Ada and GET /api/hello/Ada answer {"message": "Hello, Ada"}.

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

function answer(request) {
  const url = new URL(request.url);
  const [, last] = url.pathname.match(/\/hello\/([^/]+)$/) ?? [];
  const name = last ? decodeURIComponent(last) : (url.searchParams.get("name") ?? "world");
  return json({ message: `Hello, ${name}` });
}

function json(value, status = 200) {
  const headers = { "content-type": "application/json" };
  return new Response(JSON.stringify(value), { status, headers });
}
