//! What it costs to read a request and to write its reply: the part of a read that is not the look-up.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use zk_proto::request::{Create, ReadPath, SetData};
use zk_proto::{Acl, OpCode, Reader, ReplyHeader, Request, RequestHeader, Response, Stat, Strings};

const PATH: &str = "/services/search/instance-0001";

fn decode(frame: &[u8]) -> Option<(i32, Request<'_>)> {
    let mut reader = Reader::new(frame);
    let header = RequestHeader::read(&mut reader).ok()?;
    let op = OpCode::from_code(header.op)?;
    let request = Request::decode(op, reader.rest()).ok()??;
    Some((header.xid, request))
}

/// A frame without its length.
fn body(request: &Request<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    request.encode_frame(7, &mut frame);
    frame.split_off(size_of::<i32>())
}

fn requests(c: &mut Criterion) {
    let data = [7; 100];
    let data = Some(data.as_slice());
    let path = PATH.into();
    let read = Request::GetData(ReadPath { path, watch: false });
    let path = PATH.into();
    let set = Request::SetData(SetData {
        path,
        data,
        version: -1,
    });
    let create = Request::Create(Create {
        path: PATH.into(),
        data,
        acl: Some(std::iter::once(&Acl::open()).collect()),
        flags: 0,
    });
    let mut group = c.benchmark_group("decode");
    for (name, request) in [
        ("getData", read),
        ("setData 100 B", set),
        ("create 100 B", create),
    ] {
        let frame = body(&request);
        assert_eq!(decode(&frame), Some((7, request.clone())), "{name}");
        group.throughput(Throughput::Bytes(frame.len() as u64));
        group.bench_function(name, |b| b.iter(|| decode(black_box(&frame)).is_some()));
    }
    group.finish();
}

fn replies(c: &mut Criterion) {
    let header = ReplyHeader {
        xid: 7,
        zxid: 9,
        err: 0,
    };
    let data = [7; 100];
    let names: Vec<String> = (0..1000).map(|n| format!("n{n:010}")).collect();
    let children: Strings<'static> = names.iter().collect();
    let mut group = c.benchmark_group("encode");
    for (name, response) in [
        (
            "getData 100 B",
            Response::Data(Some(&data), Stat::default()),
        ),
        ("setData", Response::Stat(Stat::default())),
        ("getChildren 1000", Response::Children(children)),
    ] {
        let mut out = Vec::new();
        response.encode_frame(header, &mut out);
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                black_box(&response).encode_frame(header, &mut out);
                out.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, requests, replies);
criterion_main!(benches);
