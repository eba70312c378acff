# The same over HTTP, for clients without a socket.
#
#   GATEWAY=http://localhost:8080 TOKEN=… sh rest.sh POST_ID

set -eu
api=${GATEWAY:-http://localhost:8080}/api/v1
post=$1

call() {
    curl --silent --show-error --header "Authorization: Bearer $TOKEN" "$@"
    echo
}

echo "Read a post, and the first two comments on it:"
call "$api/community/posts/$post"
call "$api/community/posts/$post/comments?limit=2"

echo "Where the post's topic stands:"
watched=$(call "$api/topics/post:$post/events")
echo "$watched"
epoch=$(echo "$watched" | sed 's/.*"epoch":"\([^"]*\)".*/\1/')
seq=$(echo "$watched" | sed 's/.*"seq":\([0-9]*\).*/\1/')

echo "Like it, comment on it, and take the like back:"
call --request POST "$api/community/posts/$post/like"
call --request POST "$api/community/posts/$post/comments" \
    --header 'Content-Type: application/json' --data '{"content": "Lovely."}'
call --request DELETE "$api/community/posts/$post/like"

echo "What has happened since then:"
call "$api/topics/post:$post/events?epoch=$epoch&seq=$seq"

echo "And how it looks when something is refused:"
call --include "$api/community/posts/00000000-0000-7000-8000-000000000000"
