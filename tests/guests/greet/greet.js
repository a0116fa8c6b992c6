// Contract: answers 200 application/json {"greeting":"Hello, <name>","language":"javascript"}.
//
// The name comes from a POST's JSON body {"name":…}, else from the query value `name`, else it is
// "world". A body that is not such JSON is answered 400 {"error":…}.

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  try {
    const greeting = `Hello, ${await nameIn(request)}`;
    return json({ greeting, language: "javascript" });
  } catch (error) {
    return json({ error: error.message }, 400);
  }
}

async function nameIn(request) {
  if (request.method === "POST") {
    const { name } = await request.json();
    if (typeof name !== "string") throw new Error("name is not a string");
    return name;
  }
  return new URL(request.url).searchParams.get("name") ?? "world";
}

function json(value, status = 200) {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json" },
  });
}
