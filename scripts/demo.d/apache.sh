# shellcheck shell=bash
# An Apache of the demo's own: its files in apache/, a free port on loopback,
# stopped with the demo. Sourced by scripts/demo.

apache=

# Sets httpd, empty if there is none with TLS, and apache_modules.
find_apache() {
    local name place
    apache_modules=
    for name in apache2 httpd; do
        httpd=$(command -v "$name") && break
    done
    for place in /usr/lib/apache2/modules /usr/lib64/httpd/modules /usr/lib/httpd/modules; do
        [ ! -e "$place/mod_ssl.so" ] || { apache_modules=$place; break; }
    done
    [ -n "$apache_modules" ] || httpd=
}

load_lines() {
    local name built_in
    built_in=$("$httpd" -l)
    for name in mpm_event unixd authz_core dir include ssl; do
        case $built_in in *mod_$name.c*) continue ;; esac
        echo "LoadModule ${name}_module $apache_modules/mod_$name.so"
    done
}

# Only root may, and must, name somebody else to serve the pages.
user_lines() {
    [ "$(id -u)" = 0 ] || return 0
    echo "User #$(id -u nobody)"
    echo "Group #$(id -g nobody)"
}

# httpd_conf PORT
httpd_conf() {
    cat <<END
ServerRoot "$PWD/apache"
ServerName localhost
PidFile "$PWD/apache/pid"
DefaultRuntimeDir "$PWD/apache"
ErrorLog "$PWD/apache/error.log"
LogLevel info
Mutex pthread
$(load_lines)
$(user_lines)

Listen 127.0.0.1:$1
SSLEngine on
SSLProtocol -all +TLSv1.2 +TLSv1.3
SSLSessionCache none
SSLCertificateFile "$PWD/server.crt"
SSLCertificateKeyFile "$PWD/server.key"

# Nobody enters without a certificate of the demo authority.
SSLVerifyClient require
SSLCACertificateFile "$PWD/ca.crt"
SSLOptions +StdEnvVars

DocumentRoot "$PWD/apache/www"
<Directory "$PWD/apache/www">
    Require all granted
    Options +Includes
    SetOutputFilter INCLUDES
</Directory>
END
}

# The page greets whoever the certificate names.
write_page() {
    mkdir -p apache/www
    cat >apache/www/index.html <<'END'
Welcome, <!--#echo var="SSL_CLIENT_S_DN_CN" -->: your certificate came over <!--#echo var="SSL_PROTOCOL" -->.
END
    [ "$(id -u)" != 0 ] || chmod 711 . apache
    chmod 755 apache/www
    chmod 644 apache/www/index.html
}

answers() { (: <"/dev/tcp/$1/$2") 2>/dev/null; }

# Sets PORT. Another program may be faster to a free port: tried again.
start_apache() {
    local attempt
    write_page
    for attempt in 1 2 3 4 5; do
        PORT=$((20000 + RANDOM % 12000))
        ! answers localhost "$PORT" || continue
        export PORT
        httpd_conf "$PORT" >apache/httpd.conf
        show_command "${httpd##*/} -f \$PWD/apache/httpd.conf -DFOREGROUND &"
        "$httpd" -f "$PWD/apache/httpd.conf" -DFOREGROUND >apache/output 2>&1 </dev/null &
        apache=$!
        wait_for_apache && return
        stop_apache
    done
    # shellcheck disable=SC2034 # what fail shows
    said=$(cat apache/output apache/error.log 2>/dev/null)
    fail "Apache did not start (tried $attempt times)"
}

wait_for_apache() {
    local turn
    for ((turn = 0; turn < 200; turn++)); do
        kill -0 "$apache" 2>/dev/null || return
        if answers 127.0.0.1 "$PORT"; then return 0; fi
        sleep 0.05
    done
    return 1
}

stop_apache() {
    [ -n "$apache" ] || return 0
    kill "$apache" 2>/dev/null
    wait "$apache" 2>/dev/null
    apache=
}
