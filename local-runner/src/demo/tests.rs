use super::*;

async fn get(uri: &str) -> Answer {
    fetch(Request::get(uri).body(Body::Empty).unwrap(), Duration::from_secs(5)).await
}

async fn body(response: Response<Body<NativeBody>>) -> String {
    let read = read(response.into_body()).await.unwrap();
    String::from_utf8(read.into()).unwrap()
}

#[tokio::test]
async fn echo_tells_what_it_received() {
    let request = Request::post("demo://echo/a/b?c=d")
        .header("x-one", "1")
        .header("x-two", "1")
        .header("x-two", "2")
        .body(Body::from("hello".to_owned()))
        .unwrap();
    let response = fetch(request, Duration::from_secs(5)).await.unwrap();
    let told: Value = serde_json::from_str(&body(response).await).unwrap();
    let expected = json!({
        "method": "POST", "path": "/a/b", "query": "c=d", "body": "hello", "body_bytes": 5,
        "headers": { "x-one": "1", "x-two": ["1", "2"] },
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_binding_tells_what_it_received() {
    let told: Value = serde_json::from_str(&body(get("binding://orders/a?b").await.unwrap()).await).unwrap();
    assert_eq!([&told["path"], &told["query"]], ["/a", "b"]);
}

#[tokio::test]
async fn orders_are_a_list_one_or_none() {
    let list: Value = serde_json::from_str(&body(get("demo://orders/").await.unwrap()).await).unwrap();
    assert_eq!(list["orders"].as_array().unwrap().len(), 3);
    let one: Value = serde_json::from_str(&body(get("demo://orders/7").await.unwrap()).await).unwrap();
    assert_eq!(one["item"], "teapot");
    assert_eq!(get("demo://orders/70").await.unwrap().status(), StatusCode::NOT_FOUND);
    let post = Request::post("demo://orders/").body(Body::Empty).unwrap();
    assert_eq!(fetch(post, Duration::from_secs(5)).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(start_paused = true)]
async fn failures_are_as_ordered() {
    assert_eq!(get("demo://failing/").await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(get("demo://failing/?status=503").await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get("demo://failing/?mode=reset").await.err(), Some(FetchError::Reset));
    assert_eq!(get("demo://failing/?mode=hang").await.err(), Some(FetchError::Timeout));
    assert_eq!(get("demo://slow/?ms=9000").await.err(), Some(FetchError::Timeout));
    assert_eq!(get("demo://nobody/").await.err(), Some(FetchError::Connect));
    let cut = get("demo://failing/?mode=cut").await.unwrap();
    assert_eq!(read(cut.into_body()).await, Err(FetchError::ClientGone));
}

#[tokio::test(start_paused = true)]
async fn slow_takes_two_seconds_and_events_half_a_second_or_as_long_as_asked() {
    for (uri, millis) in [
        ("demo://slow/", 2_000),
        ("demo://slow/?ms=500", 500),
        ("demo://sse/?count=3", 1_000),
        ("demo://sse/?count=3&ms=20", 40),
    ] {
        let start = Instant::now();
        body(get(uri).await.unwrap()).await;
        assert_eq!(start.elapsed(), Duration::from_millis(millis), "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_come_one_by_one() {
    let events = body(get("demo://sse/?count=2").await.unwrap()).await;
    assert_eq!(events, "id: 1\nevent: tick\ndata: {\"tick\":1}\n\nid: 2\nevent: tick\ndata: {\"tick\":2}\n\n");
}
