//! Deliberate misbehaviours, one at a time: what the conformance suite must find.
//!
//! A server of the feature `mutants` is told at its start which one it has. Without the feature, and so in every server
//! that is for use, [`Mutant::acts`] is the constant `false`, and the code behind it is compiled away.

#[cfg(feature = "mutants")]
use core::sync::atomic::{AtomicUsize, Ordering};

macro_rules! mutants {
    ($(#[doc = $what:literal] $name:ident,)+) => {
        /// Something that a server does wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant {
            $(#[doc = $what] $name,)+
        }

        impl Mutant {
            /// Every mutant.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// What it does wrong, in a sentence.
            pub const fn what(self) -> &'static str {
                match self {
                    $(Self::$name => $what.trim_ascii_start(),)+
                }
            }
        }
    };
}

mutants! {
    // Framing and handshake.
    /// A frame may have any length.
    FrameOfAnyLength,
    /// A negative length is waited for instead of refused.
    NegativeLengthWaits,
    /// A body that does not decode closes the connection.
    DamagedBodyCloses,
    /// The timeout is granted as asked.
    TimeoutAsAsked,
    /// A client that has seen a later zxid than the server is let in.
    FutureClientEnters,
    /// The readOnly byte goes to clients that do not know it.
    ReadOnlyByteForAll,
    /// The readOnly byte goes to nobody.
    ReadOnlyByteForNobody,
    /// A session's password is given as zeros.
    PasswordOfZeros,
    /// A frame too short for its header is passed over.
    ShortFrameIgnored,
    /// A frame that comes in parts is lost.
    PartialFrameDropped,
    /// Of requests that arrive together only the first is read.
    OneRequestOfPacket,
    /// Bytes behind a record are a MarshallingError.
    ExtraBytesRefused,
    /// A read's body that does not decode closes the connection.
    DamagedReadCloses,
    /// An auth body that does not decode is answered.
    DamagedAuthAnswered,
    /// The first frame may have any length.
    FirstFrameOfAnyLength,
    /// Who is refused at the handshake is told that the session is gone.
    RefusedHandshakeAnswered,
    /// A client of another protocol version is refused.
    VersionMustBeZero,
    /// A new session is refused unless its password is sixteen zeros.
    NewSessionsShowZeros,
    /// A client that has seen the server's newest zxid is refused.
    PresentClientRefused,
    /// The timeout is granted in whole seconds.
    TimeoutInSeconds,

    // Sessions.
    /// Any password resumes a session.
    AnyPasswordResumes,
    /// Who resumes a session that is gone gets a new one.
    NewSessionOnReattach,
    /// A resumed session's connection elsewhere on the server stays open.
    OldConnectionStays,
    /// A resume answers the timeout that the session began with.
    ResumeKeepsTimeout,
    /// A closed session's ephemerals stay.
    EphemeralsOutliveSession,
    /// Sessions never expire.
    SessionsNeverExpire,
    /// Sessions expire after a quarter of their timeout.
    SessionsExpireEarly,
    /// Pings do not keep a session alive.
    PingsDoNotCount,
    /// An expired session's connection stays open.
    ExpiryLeavesConnection,
    /// closeSession is not answered.
    CloseUnanswered,
    /// closeSession leaves the connection open.
    CloseLeavesConnection,
    /// A follower does not tell its leader which sessions it has heard from, so those that only read expire.
    FollowerSessionsExpire,
    /// A learner lets a session in whatever its leader says.
    LearnerTrustsEveryResume,
    /// A connection whose session has moved to another server may still write.
    MovedSessionWrites,
    /// A session's password depends on the server that gives it.
    PasswordsOfServer,
    /// localSessionsEnabled has no effect.
    LocalSessionsAreGlobal,
    /// A local session may own ephemerals.
    EphemeralsOfLocalSessions,
    /// A local session that creates an ephemeral stays local.
    UpgradeForgotten,
    /// A read-only server does not say that it is one.
    ReadOnlyHidden,
    /// A read-only server lets clients in that do not take readOnly.
    ReadOnlyForAll,
    /// A write to a read-only server is a MarshallingError.
    NotReadOnlyIsMarshallingError,

    // Creates.
    /// Flags that mean nothing make a persistent znode.
    UnknownFlagsArePersistent,
    /// A missing parent is found before a bad ACL.
    ParentBeforeAcl,
    /// An existing znode is found before a missing permission.
    ExistsBeforePermission,
    /// A bad path is found before a missing parent.
    PathBeforeParent,
    /// create needs no permission.
    CreateNeedsNoPermission,
    /// Ephemerals may have children.
    EphemeralsHaveChildren,
    /// `.` and `..` are names.
    DotsAreNames,
    /// Control characters may stand in paths.
    ControlCharactersInPaths,
    /// A sequential name's number is that of the children there are.
    SequenceReusesNumbers,
    /// A sequential name's number has nine digits.
    SequenceOfNineDigits,
    /// A TTL of 0 is taken.
    TtlOfZero,
    /// Any TTL is taken.
    TtlOfAnyLength,
    /// A create with the flags of a TTL and no TTL makes a persistent znode.
    TtlFlagsNeedNoTtl,
    /// A createTTL with other flags takes its TTL.
    TtlNeedsNoFlags,
    /// A create of a znode that is there is NotEmpty.
    ExistingIsNotEmpty,
    /// A create with a NUL or without a slash in its path is NoNode.
    CreateOfNoPathIsNoNode,
    /// A bad ACL is found before a bad path.
    AclBeforePath,
    /// create answers the name without the path before it.
    CreateAnswersName,
    /// Data that are not UTF-8 are made so.
    DataIsText,
    /// ctime and mtime are in seconds.
    TimesInSeconds,
    /// A container has no ephemerals.
    NoEphemeralsInContainers,
    /// A slash at the end of a path is taken.
    LastSlashIgnored,
    /// Names are ASCII.
    NamesAreAscii,
    /// A name has no blanks.
    BlanksRefused,
    /// A name has no dots.
    DotsRefused,
    /// A name has at most 255 bytes.
    LongNamesRefused,
    /// The characters next to the controls may not stand in paths.
    NeighboursOfControlsRefused,

    // Deletes, new data, new ACLs.
    /// delete looks at the znode's own ACL.
    DeleteAsksTheZnode,
    /// delete ignores the version.
    DeleteIgnoresVersion,
    /// delete takes the children along.
    DeleteTakesChildren,
    /// Children are found before a wrong version.
    ChildrenBeforeVersion,
    /// The server's own znodes may be deleted.
    ReservedMayGo,
    /// setData ignores the version.
    SetDataIgnoresVersion,
    /// setData finds a wrong version before a missing permission.
    VersionBeforePermission,
    /// setData needs no permission.
    SetDataNeedsNoPermission,
    /// setACL ignores the version.
    SetAclIgnoresVersion,
    /// setACL needs no permission.
    SetAclNeedsNoPermission,
    /// A write to a znode that is missing is BadArguments.
    MissingIsBadArguments,
    /// delete wants the version that would come next.
    DeleteWantsNextVersion,
    /// delete is answered and the znode stays.
    DeleteDoesNothing,
    /// A delete with a NUL or without a slash in its path is NoNode.
    DeleteOfNoPathIsNoNode,
    /// A setData with a bad path is NoNode.
    SetDataOfNoPathIsNoNode,
    /// setData with the data that are there changes nothing.
    SameDataIsNoChange,
    /// setData leaves mtime.
    MtimeStays,

    // Reads.
    /// A znode that may not be read looks missing.
    HiddenLooksMissing,
    /// exists needs no permission.
    ExistsNeedsNoPermission,
    /// getACL needs ADMIN.
    GetAclNeedsAdmin,
    /// Null data are read as empty data.
    NullReadsAsEmpty,
    /// getChildren answers full paths.
    ChildrenWithPaths,
    /// getAllChildrenNumber counts the children only.
    OneLevelCounted,
    /// getEphemerals ignores the prefix.
    PrefixIgnored,
    /// sync answers without the path.
    SyncWithoutPath,
    /// A read of a znode that is missing is BadArguments.
    ReadsOfMissingAreBadArguments,
    /// exists looks up a path with a NUL.
    ExistsTakesNul,
    /// The empty path is no znode.
    EmptyPathIsMissing,
    /// exists answers a dataLength of 0.
    ExistsHidesLength,
    /// Empty data are read as null.
    EmptyReadsAsNull,
    /// getChildren of a leaf answers null.
    LeavesHaveNoList,
    /// getEphemerals answers everybody's.
    EphemeralsOfAll,
    /// getEphemerals without a prefix answers nothing.
    EphemeralsNeedPrefix,

    // Stat.
    /// cversion counts the creates and not the deletes.
    CversionIgnoresDeletes,
    /// A create leaves the parent's pzxid.
    PzxidIgnoresCreates,
    /// A delete leaves the parent's pzxid.
    PzxidIgnoresDeletes,
    /// A new child gives its parent a new mzxid.
    ChildrenCountAsData,
    /// setACL leaves aversion.
    AversionStays,
    /// numChildren is 0.
    NumChildrenOfZero,
    /// ephemeralOwner is 0 for ephemerals too.
    EphemeralOwnerHidden,
    /// A container's marker is seen as its ephemeralOwner.
    ContainerOwnerLeaks,
    /// A TTL znode's marker is seen as its ephemeralOwner.
    TtlOwnerLeaks,
    /// A persistent znode shows an ephemeralOwner.
    PersistentHasOwner,
    /// New data of a child change the parent's cversion and pzxid.
    ChildDataCounts,
    /// A new znode changes its grandparent's cversion and pzxid.
    GrandparentCounts,

    // Containers and TTL.
    /// Containers stay when they are empty.
    ContainersStay,
    /// Containers that never had a child go.
    NewContainersGo,
    /// TTL znodes stay.
    TtlZnodesStay,
    /// A TTL is counted from the znode's creation.
    TtlFromCreation,

    // ACLs and identities.
    /// An ACL without a grant is open to all.
    EmptyAclIsOpen,
    /// A grant that stands twice in an ACL is stored twice.
    GrantsStoredTwice,
    /// `auth` stays in an ACL as it is.
    AuthNotExpanded,
    /// Any id stands in an ACL behind `world`.
    AnyWorldId,
    /// The bits behind an address in an ACL are ignored.
    NetworkBitsIgnored,
    /// The super user is somebody like others.
    SuperIsNobody,
    /// getACL shows the hashes to all.
    HashesShown,
    /// whoAmI shows the hashes.
    WhoAmIShowsHashes,
    /// A new identity replaces the old ones.
    AuthReplaces,
    /// An unknown scheme is accepted.
    UnknownSchemeAccepted,
    /// A refused auth leaves the connection open.
    AuthFailureStaysOpen,
    /// A follower does not tell its leader who the client is.
    IdentitiesNotForwarded,
    /// Any id of any scheme may stand in an ACL.
    AnyIdStands,
    /// What is bad in an ACL is left out.
    BadGrantsLeftOut,
    /// Of the entries of one id an ACL keeps the first.
    GrantsOfOneIdMerged,
    /// Permission bits outside the five are cut off.
    PermissionBitsCut,
    /// A new znode takes its parent's ACL.
    AclOfParent,
    /// getACL answers the list backwards.
    AclBackwards,
    /// An ACL may not name a network.
    NetworksRefused,
    /// An ACL may not name an IPv6 address.
    Ip6Refused,
    /// A digest id in an ACL needs what looks like a hash.
    HashesLookedAt,
    /// A digest id in an ACL needs a user.
    UsersHaveNames,
    /// getACL shows the hashes to nobody.
    HashesHiddenFromAll,
    /// An auth packet with scheme ip is refused.
    IpProvesNothing,
    /// The answer to an auth packet has a zxid.
    AuthAnswersZxid,
    /// The answer to an auth packet has xid -4, whatever was sent.
    AuthHasOneXid,
    /// A SASL token closes the connection.
    SaslRefused,

    // Quotas.
    /// Hard quotas refuse nothing.
    HardQuotaIgnored,
    /// Soft quotas refuse.
    SoftQuotaRefuses,
    /// A quota's account stays as it was.
    AccountStands,

    // multi and multiRead.
    /// A multi that fails keeps what came before the failure.
    MultiHalfDone,
    /// The results of a multi that fails end with the failure.
    MultiVectorShort,
    /// All results of a multi that fails are its error.
    MultiVectorUniform,
    /// A multi that fails has its error in the header.
    MultiErrorInHeader,
    /// check in a multi ignores the version.
    CheckIgnoresVersion,
    /// create in a multi answers a Stat.
    MultiCreateWithStat,
    /// A multi fires no watch.
    MultiTellsNobody,
    /// A multiRead goes no further than its first error.
    MultiReadStops,
    /// A multi or multiRead without an op is a MarshallingError.
    EmptyMultiRefused,
    /// A create with the container flag in a multi makes a persistent znode.
    MultiContainersArePersistent,
    /// create2 in a multi answers no Stat.
    MultiCreate2WithoutStat,
    /// delete in a multi is answered as a check.
    MultiDeleteAnswersCheck,
    /// check in a multi is answered as a delete.
    MultiCheckAnswersDelete,
    /// setData in a multi answers a Stat of zeros.
    MultiSetDataWithoutStat,
    /// The reply of a multi that fails has the zxid of the write before.
    FailedMultiWithOldZxid,

    // Watches.
    /// A watch fires more than once.
    WatchStays,
    /// A persistent watch fires once.
    PersistentOnce,
    /// exists of a missing znode sets no watch.
    ExistsWatchNeedsZnode,
    /// A read that fails sets its watch.
    FailedReadWatches,
    /// A recursive watch's event has the path of the watch.
    RecursivePathOfWatch,
    /// A recursive watch tells of lists of children too.
    RecursiveTellsChildren,
    /// A recursive watch does not see below the children.
    RecursiveOneLevel,
    /// A persistent watch does not tell of children.
    PersistentIgnoresChildren,
    /// A delete does not tell the parent's watchers.
    DeleteHidesFromParent,
    /// Who watches a znode's data and children is told of its delete twice.
    DeleteToldTwice,
    /// Who watches the children is told of new data.
    DataToldToChildWatch,
    /// Events go to those who may not read the znode.
    EventsForAll,
    /// The event comes after the reply of the request that made the change.
    EventAfterReply,
    /// An event's header has no zxid.
    EventWithoutZxid,
    /// setWatches does not tell what was missed.
    NoCatchUp,
    /// setWatches tells what was missed after its reply.
    CatchUpAfterReply,
    /// setWatches does not tell that a znode was created meanwhile.
    CatchUpWithoutCreated,
    /// setWatches2 restores no persistent watch.
    PersistentNotRestored,
    /// removeWatches succeeds without a watch.
    RemoveAlwaysSucceeds,
    /// removeWatches of any kind leaves recursive ones.
    RemoveAnyLeavesRecursive,
    /// removeWatches removes nothing.
    RemoveRemovesNothing,
    /// A delete does not tell who watches the znode's children.
    DeleteHidesFromChildWatch,
    /// Who watches the data is told of children.
    DataWatchSeesChildren,
    /// Who watches the children is told of a child's new data.
    ChildDataToldToChildWatch,
    /// Who watches the children is told of grandchildren.
    ChildWatchSeesBelow,
    /// Who watches the data is told of a new ACL.
    AclToldToDataWatch,
    /// Of those who watch a znode one is told.
    OneWatcherIsTold,
    /// A read without the watch flag drops the watch that was there.
    ReadDropsWatch,
    /// A persistent watch sees what is below.
    PersistentIsRecursive,
    /// Who watches a znode in two ways is told twice.
    KindsToldApart,
    /// addWatch takes any mode.
    AnyModeIsRecursive,
    /// addWatch needs permission to read.
    AddWatchNeedsPermission,
    /// The reply to setWatches has xid -8, whatever was sent.
    SetWatchesHasOneXid,
    /// removeWatches takes any type.
    AnyTypeIsAny,
    /// checkWatches knows the one-shot kinds only.
    CheckKnowsOneShot,
    /// checkWatches finds the watches of others.
    CheckSeesOthers,
    /// A learner tells its clients of no change.
    LearnersTellNobody,

    // Order.
    /// A read does not wait for the session's own writes.
    ReadOvertakesWrite,
    /// A read's reply has no zxid.
    ReadWithoutZxid,
    /// A write's reply has the zxid of the one before.
    WriteWithOldZxid,
    /// A failed write's reply has no zxid.
    FailureWithoutZxid,
    /// A ping is answered with the xid it came with.
    PingEchoesXid,
    /// A follower answers sync by itself.
    SyncStaysLocal,
    /// The reply to a read has its number on the connection as its xid.
    ReadsAreNumbered,

    // Throttles.
    /// No limit on connections holds.
    DoorsOpen,
    /// Connection tokens never run out.
    TokensEndless,
    /// largeRequestMaxBytes refuses nothing.
    LargeRequestsPass,
    /// throttled_op_wait_time refuses nothing.
    ThrottledAreDone,

    // Unknown operations.
    /// An unknown operation leaves the connection open.
    UnknownOpStaysOpen,
    /// An unknown operation is a MarshallingError.
    UnknownOpIsMarshallingError,
    /// reconfig is a MarshallingError.
    ReconfigIsMarshallingError,

    // Four-letter words.
    /// ruok is answered with a line.
    ImokLine,
    /// srvr does not tell the number of znodes.
    SrvrWithoutNodeCount,
    /// isro says that the server is read-only.
    IsroSaysReadOnly,
    /// mntr puts a space between name and value.
    MntrWithSpaces,
    /// dump lists no ephemeral.
    DumpWithoutEphemerals,
    /// cons does not tell the sessions.
    ConsWithoutSessions,
    /// Words in capitals are answered.
    WordsInCapitals,
    /// conf, envi, dirs and hash answer nothing.
    ServerWordsEmpty,
    /// wchc and wchp list nothing.
    WatchWordsEmpty,
    /// wchs counts no watch.
    WchsOfZeros,
    /// gtmk answers in hex.
    GtmkInHex,
    /// stmk leaves the trace mask.
    StmkSetsNothing,
}

#[cfg(not(feature = "mutants"))]
impl Mutant {
    /// Whether this server has it: never.
    #[inline]
    pub const fn acts(self) -> bool {
        false
    }
}

/// Position of the chosen one in [`Mutant::ALL`].
#[cfg(feature = "mutants")]
static CHOSEN: AtomicUsize = AtomicUsize::new(usize::MAX);

#[cfg(feature = "mutants")]
impl Mutant {
    /// Whether this server has it.
    pub fn acts(self) -> bool {
        CHOSEN.load(Ordering::Relaxed) == self as usize
    }

    /// From now on this process misbehaves like this.
    pub fn choose(self) {
        CHOSEN.store(self as usize, Ordering::Relaxed);
    }

    /// The mutant with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|mutant| alloc::format!("{mutant:?}") == name)
    }
}
