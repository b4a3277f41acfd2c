#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# DevStack's plugin: `enable_plugin dbflow URL-OF-THIS-REPOSITORY` in local.conf. DevStack sources this file with the name
# of a mode (stack, unstack, clean) and of a phase (install, post-config, extra); its functions and settings are there.
# shellcheck disable=SC2154

_DBFLOW_XTRACE=$(set +o | grep xtrace)
# The configuration has passwords, which belong in no log.
set +o xtrace

function is_dbflow_enabled {
    is_service_enabled dbflow-api || is_service_enabled dbflow-conductor
}

function dbflow_manage {
    "$DBFLOW_BIN_DIR/dbflow-manage" --config-file "$DBFLOW_CONF" "$@"
}

function dbflow_zookeeper {
    echo "${DBFLOW_ZOOKEEPER:-$SERVICE_HOST:2181}"
}

function install_dbflow {
    if [[ -z $DBFLOW_ZOOKEEPER ]]; then
        # By its name there, and other distributions have none.
        is_ubuntu || die "$LINENO" "name a ZooKeeper in DBFLOW_ZOOKEEPER; one is installed on Debian and Ubuntu only"
        install_package zookeeperd
    fi
    if [[ $DBFLOW_CLOUD_DRIVER == local ]]; then
        # To install MariaDB beside MySQL is to remove MySQL, with DevStack's own databases.
        [[ $MYSQL_SERVICE_NAME == mariadb ]] || die "$LINENO" "DBFLOW_CLOUD_DRIVER=local needs MYSQL_SERVICE_NAME=mariadb"
        install_package mariadb-server-core mariadb-client mariadb-backup
    fi
    make_dbflow_environment
}

# With the versions that dbflow is tested with. setuptools comes first, so that the build uses the pinned one. The extra
# is for configure_keystone_authtoken_middleware, which names memcached.
function make_dbflow_environment {
    [[ $OFFLINE != True ]] || return 0
    local pip=("$DBFLOW_BIN_DIR/python" -m pip install --disable-pip-version-check -c "$DBFLOW_DIR/tools/constraints.txt")
    "python$PYTHON3_VERSION" -m venv "$DBFLOW_VENV"
    "${pip[@]}" setuptools
    "${pip[@]}" --no-build-isolation -e "${DBFLOW_DIR}[memcached]"
}

# A virtual host of dbflow's own, and the management API, by which each guest gets a user of its own.
function configure_dbflow_broker {
    sudo rabbitmq-plugins enable rabbitmq_management
    sudo rabbitmqctl list_vhosts --quiet | grep -qxF "$DBFLOW_VHOST" || sudo rabbitmqctl add_vhost "$DBFLOW_VHOST"
    sudo rabbitmqctl set_permissions -p "$DBFLOW_VHOST" "$RABBIT_USERID" '.*' '.*' '.*'
    sudo rabbitmqctl set_user_tags "$RABBIT_USERID" administrator
}

function configure_dbflow {
    local login=$RABBIT_USERID:$RABBIT_PASSWORD@$RABBIT_HOST address listen port=$DBFLOW_PORT cafile=()
    listen=$(ipv6_unquote "$SERVICE_LISTEN_ADDRESS")
    address=$listen
    if is_service_enabled tls-proxy; then
        address=127.0.0.1 port=$DBFLOW_PORT_INT cafile=(cafile)
    fi
    sudo install -d -m 750 -o "$STACK_USER" "$DBFLOW_CONF_DIR"
    sudo install -d -m 711 -o "$STACK_USER" "$DBFLOW_DATA_DIR"
    install -m 600 /dev/null "$DBFLOW_CONF"

    # Without its parameters: a plugin of SQLAlchemy's that only DevStack's environment has, and a character set that
    # has not every character.
    local database
    database=$(database_connection_url dbflow)
    iniset "$DBFLOW_CONF" database connection "${database%%\?*}"
    iniset "$DBFLOW_CONF" coordination driver zookeeper
    iniset "$DBFLOW_CONF" coordination hosts "$(dbflow_zookeeper)"
    iniset "$DBFLOW_CONF" messaging url "amqp://$login:5672/$DBFLOW_VHOST"
    iniset "$DBFLOW_CONF" messaging management_url "http://$login:15672"
    iniset "$DBFLOW_CONF" security key_file "$DBFLOW_CONF_DIR/keys"
    iniset "$DBFLOW_CONF" api auth keystone
    iniset "$DBFLOW_CONF" api bind_host "$address"
    iniset "$DBFLOW_CONF" api bind_port "$port"
    iniset "$DBFLOW_CONF" api public_endpoint "$DBFLOW_URL"
    iniset "$DBFLOW_CONF" api region "$REGION_NAME"
    iniset "$DBFLOW_CONF" cloud driver "$DBFLOW_CLOUD_DRIVER"
    iniset "$DBFLOW_CONF" local_cloud state_dir "$DBFLOW_DATA_DIR/cloud"
    configure_keystone_authtoken_middleware "$DBFLOW_CONF" dbflow
    if [[ $DBFLOW_CLOUD_DRIVER == openstack ]]; then
        configure_dbflow_login openstack \
            auth_url username password project_name user_domain_name project_domain_name "${cafile[@]}"
        iniset "$DBFLOW_CONF" openstack auth_type password
        iniset "$DBFLOW_CONF" openstack region_name "$REGION_NAME"
        iniset "$DBFLOW_CONF" openstack interface public
        if [[ -n $DBFLOW_NETWORK_ID ]]; then
            iniset "$DBFLOW_CONF" openstack networks "$DBFLOW_NETWORK_ID"
        fi
    fi
    if is_service_enabled s-proxy; then
        iniset "$DBFLOW_CONF" object_store driver swift
        iniset "$DBFLOW_CONF" object_store swift_auth_url "$KEYSTONE_SERVICE_URI/v3"
        iniset "$DBFLOW_CONF" object_store swift_password "$SERVICE_PASSWORD"
        iniset "$DBFLOW_CONF" object_store swift_project_name "$SERVICE_PROJECT_NAME"
        if is_service_enabled tls-proxy; then
            iniset "$DBFLOW_CONF" object_store swift_cafile "$SSL_BUNDLE_FILE"
        fi
    else
        iniset "$DBFLOW_CONF" object_store directory "$DBFLOW_DATA_DIR/objects"
        iniset "$DBFLOW_CONF" object_store bind_host "$listen"
        iniset "$DBFLOW_CONF" object_store bind_port "$DBFLOW_OBJECTS_PORT"
        iniset "$DBFLOW_CONF" object_store url "http://$SERVICE_HOST:$DBFLOW_OBJECTS_PORT"
    fi
}

# The user that looks at tokens owns the servers, too: its options, from [keystone_authtoken].
function configure_dbflow_login {
    local group=$1 option
    shift
    for option in "$@"; do
        iniset "$DBFLOW_CONF" "$group" "$option" "$(iniget "$DBFLOW_CONF" keystone_authtoken "$option")"
    done
}

# Jobs are those of a database; in a new one there are none.
function clear_dbflow_board {
    "$DBFLOW_BIN_DIR/python" - "$(dbflow_zookeeper)" <<'END'
import sys
from kazoo.client import KazooClient

client = KazooClient(sys.argv[1])
client.start()
client.delete("/dbflow", recursive=True)
client.stop()
END
}

function init_dbflow {
    recreate_database dbflow
    clear_dbflow_board
    [[ -e $DBFLOW_CONF_DIR/keys ]] || dbflow_manage key generate
    dbflow_manage db sync
    OS_CLOUD=devstack-admin dbflow_manage keystone register --region "$REGION_NAME" --public-url "$DBFLOW_URL"
    local image=()
    [[ -z $DBFLOW_IMAGE_ID ]] || image=(--image "$DBFLOW_IMAGE_ID")
    dbflow_manage datastore-version create "$DBFLOW_DATASTORE" "$DBFLOW_DATASTORE_VERSION" "${image[@]}" --default
}

function start_dbflow {
    run_process dbflow-api "$DBFLOW_BIN_DIR/dbflow-api --config-file $DBFLOW_CONF"
    run_process dbflow-conductor "$DBFLOW_BIN_DIR/dbflow-conductor --config-file $DBFLOW_CONF"
    is_service_enabled s-proxy || run_process dbflow-objects "$DBFLOW_BIN_DIR/dbflow-objects --config-file $DBFLOW_CONF"
    if is_service_enabled tls-proxy; then
        start_tls_proxy dbflow-api '*' "$DBFLOW_PORT" 127.0.0.1 "$DBFLOW_PORT_INT"
    fi
    if ! wait_for_service "$SERVICE_TIMEOUT" "$DBFLOW_URL/healthcheck?only="; then
        die "$LINENO" "dbflow-api did not start"
    fi
}

function stop_dbflow {
    stop_process dbflow-api
    stop_process dbflow-conductor
    stop_process dbflow-objects
}

function cleanup_dbflow {
    [[ ! -x $DBFLOW_BIN_DIR/python ]] || clear_dbflow_board || true
    sudo rabbitmqctl delete_vhost "$DBFLOW_VHOST" || true
    sudo rm -rf "$DBFLOW_CONF_DIR" "$DBFLOW_DATA_DIR" "$DBFLOW_VENV"
}

if is_dbflow_enabled; then
    case $1-${2:-} in
        stack-install)
            echo_summary "Installing dbflow"
            install_dbflow
            ;;
        stack-post-config)
            echo_summary "Configuring dbflow"
            configure_dbflow_broker
            configure_dbflow
            ;;
        stack-extra)
            echo_summary "Starting dbflow"
            init_dbflow
            start_dbflow
            ;;
        unstack-*) stop_dbflow ;;
        clean-*) cleanup_dbflow ;;
    esac
fi

$_DBFLOW_XTRACE
